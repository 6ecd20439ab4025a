//! Scalability modes: the number of spatial and temporal layers of an encoding, as in W3C's Scalable Video
//! Coding extension for WebRTC (`L3T3_KEY`, `S2T1`).

/// Layers that a scalability mode names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ScalabilityMode {
    /// Number of spatial layers, at least one.
    pub spatial: u8,
    /// Number of temporal layers, at least one.
    pub temporal: u8,
    /// Whether each spatial layer can be decoded without the lower ones.
    pub is_independent: bool,
}

impl ScalabilityMode {
    /// Parses a mode. What follows the number of temporal layers is ignored, as mediasoup does. Returns
    /// `None` for other texts.
    pub fn parse(mode: &str) -> Option<Self> {
        let is_independent = mode.starts_with('S');
        let rest = mode.strip_prefix(['L', 'S'])?;
        let (spatial, rest) = parse_layer_count(rest)?;
        let (temporal, _) = parse_layer_count(rest.strip_prefix('T')?)?;
        Some(Self {
            spatial,
            temporal,
            is_independent,
        })
    }
}

/// Parses a number of one or two digits without a leading zero. Returns it and the rest of `text`.
fn parse_layer_count(text: &str) -> Option<(u8, &str)> {
    let digits = text.bytes().take(2).take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at_checked(digits)?;
    let number = number.parse().ok()?;
    (number > 0 && !text.starts_with('0')).then_some((number, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_read_from_modes_of_all_kinds() {
        let parsed = |mode| ScalabilityMode::parse(mode).map(|it| (it.spatial, it.temporal));
        assert_eq!(parsed("L1T3"), Some((1, 3)));
        assert_eq!(parsed("L3T2_KEY"), Some((3, 2)));
        assert_eq!(parsed("L2T3h"), Some((2, 3)));
        assert_eq!(parsed("S3T3"), Some((3, 3)));
        for bad in ["", "L", "T3", "L0T3", "L3", "L3T", "L3T0", "M3T3", "L123T1"] {
            assert_eq!(parsed(bad), None, "{bad}");
        }
        assert!(ScalabilityMode::parse("S2T1").is_some_and(|it| it.is_independent));
        assert!(ScalabilityMode::parse("L2T1").is_some_and(|it| !it.is_independent));
    }
}
