//! ICE username fragments of our transports (RFC 8839 §5.4): the shard and the transport's key in
//! hexadecimal, then random letters. The shard in it tells which thread a check is for.

use rand_chacha::rand_core::Rng as _;
use watersmeet_wire::stun::StunMessage;
use watersmeet_wire::units::Rng;

/// Length of the first part: the shard, in hexadecimal.
const SHARD_LEN: usize = 2;

/// Alphabet of the random part: ice-chars that need no escaping anywhere (RFC 8839 §5.4).
const LETTERS: &[u8; 32] = b"abcdefghijkmnpqrstuvwxyz23456789";

/// Length of the random part: 40 bits, so that two transports that have the same key one after the
/// other are not confused.
const RANDOM_LEN: usize = 8;

/// Generates a ufrag from the shard, the index of the transport's key and random letters.
pub(crate) fn generate(shard: u8, key_index: usize, rng: &mut Rng) -> String {
    let letters = generate_letters(rng);
    format!("{shard:02x}{key_index:04x}{letters}")
}

/// Generates a text of random letters.
pub(crate) fn generate_letters(rng: &mut Rng) -> String {
    let mut bytes = [0; RANDOM_LEN];
    rng.fill_bytes(&mut bytes);
    let letter = |byte: u8| {
        let index = usize::from(byte) % LETTERS.len();
        char::from(LETTERS.get(index).copied().unwrap_or(b'a'))
    };
    bytes.into_iter().map(letter).collect()
}

/// Returns the shard whose transport an ICE check is for (RFC 8445 §7.2.2), by the ufrag in its
/// USERNAME; `None` when the packet is no check for a ufrag such as ours. Nothing in it is authenticated.
pub fn shard_of_check(packet: &[u8]) -> Option<u8> {
    let message = StunMessage::parse(packet).ok()?;
    let (local, _) = message.ufrags()?;
    let shard = local.get(..SHARD_LEN)?;
    let is_hexadecimal = shard.bytes().all(|byte| byte.is_ascii_hexdigit());
    u8::from_str_radix(shard, 16)
        .ok()
        .filter(|_| is_hexadecimal)
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::SeedableRng as _;
    use watersmeet_wire::stun::{BindingRequest, IceRole, IntegrityKey};

    use super::*;

    fn check(username: &str) -> Vec<u8> {
        let request = BindingRequest {
            transaction_id: [7; 12],
            username,
            priority: 1,
            role: IceRole::Controlling(1),
            use_candidate: false,
            nomination: None,
            network_info: None,
        };
        let mut packet = [0; 256];
        let key = IntegrityKey::from_password("a password");
        let len = request.write(&mut packet, &key).unwrap();
        packet[..len].to_vec()
    }

    #[test]
    fn check_names_the_shard_of_its_transport() {
        let mut rng = Rng::seed_from_u64(1);
        for shard in [0, 9, 63, 255] {
            let ufrag = generate(shard, 513, &mut rng);
            assert_eq!(
                shard_of_check(&check(&format!("{ufrag}:them"))),
                Some(shard)
            );
        }
    }

    #[test]
    fn other_packets_name_no_shard() {
        for username in ["", "them", "0:them", "zz:them", "+1abc:them", "éa:them"] {
            assert_eq!(shard_of_check(&check(username)), None, "{username}");
        }
        assert_eq!(shard_of_check(b"GET / HTTP/1.1\r\n\r\n"), None);
        assert_eq!(shard_of_check(&[]), None);
    }
}
