//! One log filter from the many names there are for it. `LOG_LEVEL` is the whole program's level;
//! `MEDIASOUP_LOG_LEVEL` and `WORKER_LOG_LEVEL` are the media engine's; `DEBUG=mediasoup:*` asks
//! for everything, in the manner of Node's `debug` package. `RUST_LOG` and our own
//! `WATERSMEET_LOG` are filters already and outrank these. It must never refuse: other programs
//! read these variables too.

use super::environment::Environment;

/// What is logged when nobody asks for anything.
const USUAL: &str = "info";

/// Our crates below the program: what a mediasoup server calls its worker.
const ENGINE: [&str; 2] = ["watersmeet_engine", "watersmeet_net"];

/// All our crates.
const ALL: [&str; 4] = [
    "watersmeet",
    "watersmeet_conference",
    "watersmeet_engine",
    "watersmeet_net",
];

/// Names of the media engine's level, the later over the earlier.
const ENGINE_LEVELS: [&str; 2] = ["MEDIASOUP_LOG_LEVEL", "WORKER_LOG_LEVEL"];

/// Classes of mediasoup whose namespaces have a room of the same name here.
const CLASSES: [(&str, &str); 6] = [
    ("Worker", "watersmeet_engine::worker"),
    ("Router", "watersmeet_engine::router"),
    ("WebRtcTransport", "watersmeet_engine::transport"),
    ("Transport", "watersmeet_engine::transport"),
    ("Producer", "watersmeet_engine::producer"),
    ("Consumer", "watersmeet_engine::consumer"),
];

/// The filter that the environment asks for, if it asks for one.
pub fn of(environment: &Environment) -> Option<String> {
    if let Some(filter) = environment.get("RUST_LOG") {
        return Some(filter.to_owned());
    }
    let base = environment.get("LOG_LEVEL").map(level);
    let mut parts = vec![base.clone().unwrap_or_else(|| USUAL.to_owned())];
    let engine = ENGINE_LEVELS
        .iter()
        .rev()
        .find_map(|name| environment.get(name));
    if let Some(engine) = engine.map(level) {
        parts.extend(ENGINE.map(|target| format!("{target}={engine}")));
    }
    if let Some(debug) = environment.get("DEBUG") {
        parts.extend(debug_parts(debug, base.as_deref().unwrap_or(USUAL)));
    }
    (base.is_some() || parts.len() > 1).then(|| parts.join(","))
}

/// Names that say different things.
pub fn warnings(environment: &Environment) -> Vec<String> {
    let mut warnings = Vec::new();
    let [mediasoup, worker] = ENGINE_LEVELS;
    if let (Some(one), Some(other)) = (environment.get(mediasoup), environment.get(worker))
        && level(one) != level(other)
    {
        warnings.push(format!(
            "{mediasoup} and {worker} disagree about the media engine's log level: {worker} holds"
        ));
    }
    let ours = environment.get("WATERSMEET_LOG");
    let others = environment.get("RUST_LOG");
    let holding = match (ours, others) {
        (Some(ours), Some(others)) if ours != others => {
            warnings.push(
                "RUST_LOG and WATERSMEET_LOG disagree about `log`: WATERSMEET_LOG holds".to_owned(),
            );
            ours
        }
        (Some(filter), _) | (None, Some(filter)) => filter,
        (None, None) => return warnings,
    };
    let name = if ours.is_some() {
        "WATERSMEET_LOG"
    } else {
        "RUST_LOG"
    };
    let level_name = environment.get("LOG_LEVEL");
    if level_name.is_some_and(|it| level(it) != level(holding)) {
        warnings.push(format!(
            "LOG_LEVEL and {name} disagree about `log`: {name} holds"
        ));
    }
    warnings
}

/// A level in our words. Node's loggers have some that we lack.
fn level(word: &str) -> String {
    match word.to_ascii_lowercase().as_str() {
        "none" | "silent" | "off" => "off".to_owned(),
        "fatal" | "critical" => "error".to_owned(),
        "warning" => "warn".to_owned(),
        "notice" | "log" => "info".to_owned(),
        "verbose" => "debug".to_owned(),
        "silly" | "all" => "trace".to_owned(),
        other => other.to_owned(),
    }
}

/// What `DEBUG` asks of us: patterns parted by commas or blanks, those after a `-` left out.
fn debug_parts(patterns: &str, base: &str) -> Vec<String> {
    let words = || patterns.split([',', ' ', '\t']).filter(|it| !it.is_empty());
    let wanted = words().filter(|it| !it.starts_with('-'));
    let mut parts: Vec<String> = wanted
        .flat_map(|pattern| targets(pattern).map(move |it| format!("{it}={}", wish(pattern))))
        .collect();
    // A target asked for twice gets the more talkative level; `debug` stands last, and holds.
    parts.sort_by_key(|part| part.ends_with("=debug"));
    let left_out = words().filter_map(|it| it.strip_prefix('-'));
    parts.extend(left_out.flat_map(|pattern| targets(pattern).map(|it| format!("{it}={base}"))));
    parts
}

/// The level of a pattern: mediasoup logs warnings and errors under names of their own.
fn wish(pattern: &str) -> &'static str {
    if pattern.contains("WARN") {
        "warn"
    } else if pattern.contains("ERROR") {
        "error"
    } else {
        "debug"
    }
}

/// What a pattern speaks of here; nothing, when it is another library's.
fn targets(pattern: &str) -> impl Iterator<Item = &'static str> {
    let pattern = pattern.trim_start_matches('*');
    let name = pattern.strip_prefix("mediasoup:").map(|name| {
        name.trim_start_matches("WARN:")
            .trim_start_matches("ERROR:")
    });
    let class = name.and_then(|name| {
        let name = name.trim_end_matches('*');
        CLASSES.iter().find(|(class, _)| *class == name)
    });
    let everything = match name {
        Some(name) => matches!(name, "*" | "WARN*" | "ERROR*"),
        None => matches!(
            pattern,
            "" | "mediasoup" | "mediasoup*" | "WARN*" | "ERROR*"
        ),
    };
    let all = if everything { &ALL[..] } else { &[] };
    all.iter().copied().chain(class.map(|(_, target)| *target))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(variables: &[(&str, &str)]) -> Option<String> {
        of(&Environment::of(variables))
    }

    #[test]
    fn levels_of_other_loggers_have_their_counterpart() {
        assert_eq!(filter(&[]), None);
        for (word, ours) in [
            ("warn", "warn"),
            ("none", "off"),
            ("WARNING", "warn"),
            ("silly", "trace"),
            ("error", "error"),
        ] {
            assert_eq!(filter(&[("LOG_LEVEL", word)]).unwrap(), ours);
        }
    }

    #[test]
    fn the_media_engine_has_a_level_of_its_own() {
        let asked = filter(&[("LOG_LEVEL", "debug"), ("MEDIASOUP_LOG_LEVEL", "none")]);
        assert_eq!(
            asked.unwrap(),
            "debug,watersmeet_engine=off,watersmeet_net=off"
        );
        let asked = filter(&[
            ("MEDIASOUP_LOG_LEVEL", "none"),
            ("WORKER_LOG_LEVEL", "warn"),
        ]);
        assert!(asked.unwrap().starts_with("info,watersmeet_engine=warn"));
        assert_eq!(
            filter(&[("RUST_LOG", "a=b"), ("DEBUG", "*")]).unwrap(),
            "a=b"
        );
    }

    #[test]
    fn debug_of_mediasoup_is_ours_and_of_others_is_not() {
        let all = "info,watersmeet=debug,watersmeet_conference=debug,watersmeet_engine=debug,\
            watersmeet_net=debug";
        for pattern in [
            "mediasoup:*",
            "*",
            "mediasoup*",
            "*mediasoup:*",
            "express:*,mediasoup:*",
        ] {
            assert_eq!(filter(&[("DEBUG", pattern)]).unwrap(), all, "{pattern}");
        }
        for pattern in ["express:*", "mediasoup-client:*", "1", "mediasoup:Channel"] {
            assert_eq!(filter(&[("DEBUG", pattern)]), None, "{pattern}");
        }
    }

    #[test]
    fn warnings_classes_and_exclusions_of_debug_are_understood() {
        let asked = filter(&[("LOG_LEVEL", "error"), ("DEBUG", "mediasoup:WARN*")]).unwrap();
        assert!(asked.starts_with("error,watersmeet=warn,"), "{asked}");
        let asked = filter(&[("DEBUG", "mediasoup:Producer, mediasoup:ERROR:Worker*")]).unwrap();
        assert_eq!(
            asked,
            "info,watersmeet_engine::worker=error,watersmeet_engine::producer=debug"
        );
        let asked = filter(&[("DEBUG", "mediasoup:* -mediasoup:Transport")]).unwrap();
        assert!(
            asked.ends_with(",watersmeet_engine::transport=info"),
            "{asked}"
        );
        for filter in [&asked, "off", "trace"] {
            tracing_subscriber::EnvFilter::builder()
                .parse(filter)
                .unwrap();
        }
    }

    #[test]
    fn names_that_disagree_are_told() {
        let told = |variables: &[(&str, &str)]| warnings(&Environment::of(variables)).join("\n");
        assert_eq!(told(&[("LOG_LEVEL", "warn"), ("RUST_LOG", "warn")]), "");
        assert!(told(&[("LOG_LEVEL", "warn"), ("RUST_LOG", "a=b")]).contains("RUST_LOG holds"));
        let engine = [
            ("MEDIASOUP_LOG_LEVEL", "warn"),
            ("WORKER_LOG_LEVEL", "debug"),
        ];
        assert!(told(&engine).contains("WORKER_LOG_LEVEL holds"));
    }
}
