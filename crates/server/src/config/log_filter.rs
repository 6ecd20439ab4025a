//! Builds the log filter from environment variables of other servers. `LOG_LEVEL` is the level of the
//! whole program; `MEDIASOUP_LOG_LEVEL` and `WORKER_LOG_LEVEL` that of the media engine;
//! `DEBUG=mediasoup:*` enables everything, like Node's `debug` package. `RUST_LOG` and
//! `WATERSMEET_LOG` are filters already and take precedence. Never fails, since other programs read
//! these variables too.

use super::variables::Environment;

/// Default level.
const DEFAULT_LEVEL: &str = "info";

/// Crates of the media engine, which correspond to mediasoup's worker.
const ENGINE_CRATES: [&str; 2] = ["watersmeet_engine", "watersmeet_net"];

/// All crates of the program.
const ALL_CRATES: [&str; 4] = [
    "watersmeet",
    "watersmeet_conference",
    "watersmeet_engine",
    "watersmeet_net",
];

/// Variables of the media engine's level; the later takes precedence.
const ENGINE_LEVELS: [&str; 2] = ["MEDIASOUP_LOG_LEVEL", "WORKER_LOG_LEVEL"];

/// Classes of mediasoup, whose debug namespaces correspond to a module here.
const CLASSES: [(&str, &str); 6] = [
    ("Worker", "watersmeet_engine::worker"),
    ("Router", "watersmeet_engine::router"),
    ("WebRtcTransport", "watersmeet_engine::transport"),
    ("Transport", "watersmeet_engine::transport"),
    ("Producer", "watersmeet_engine::producer"),
    ("Consumer", "watersmeet_engine::consumer"),
];

/// Returns the filter that the environment sets, if any.
pub fn from_environment(environment: &Environment) -> Option<String> {
    if let Some(filter) = environment.get("RUST_LOG") {
        return Some(filter.to_owned());
    }
    let base = environment.get("LOG_LEVEL").map(level);
    let mut directives = vec![base.clone().unwrap_or_else(|| DEFAULT_LEVEL.to_owned())];
    let engine = ENGINE_LEVELS
        .iter()
        .rev()
        .find_map(|name| environment.get(name));
    if let Some(engine) = engine.map(level) {
        directives.extend(ENGINE_CRATES.map(|target| format!("{target}={engine}")));
    }
    if let Some(debug) = environment.get("DEBUG") {
        directives.extend(debug_directives(
            debug,
            base.as_deref().unwrap_or(DEFAULT_LEVEL),
        ));
    }
    (base.is_some() || directives.len() > 1).then(|| directives.join(","))
}

/// Returns warnings about variables that contradict each other.
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
    let effective = match (ours, others) {
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
    if level_name.is_some_and(|it| level(it) != level(effective)) {
        warnings.push(format!(
            "LOG_LEVEL and {name} disagree about `log`: {name} holds"
        ));
    }
    warnings
}

/// Translates a level of Node's loggers.
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

/// Returns the directives for `DEBUG`: patterns separated by commas or blanks; those with a leading
/// `-` are excluded.
fn debug_directives(patterns: &str, base: &str) -> Vec<String> {
    let patterns_in = || patterns.split([',', ' ', '\t']).filter(|it| !it.is_empty());
    let included = patterns_in().filter(|it| !it.starts_with('-'));
    let mut directives: Vec<String> = included
        .flat_map(|pattern| {
            targets(pattern).map(move |it| format!("{it}={}", pattern_level(pattern)))
        })
        .collect();
    // The last directive of a target applies, so `debug` directives come last.
    directives.sort_by_key(|part| part.ends_with("=debug"));
    let excluded = patterns_in().filter_map(|it| it.strip_prefix('-'));
    directives
        .extend(excluded.flat_map(|pattern| targets(pattern).map(|it| format!("{it}={base}"))));
    directives
}

/// Returns the level of a pattern. mediasoup logs warnings and errors in namespaces of their own.
fn pattern_level(pattern: &str) -> &'static str {
    if pattern.contains("WARN") {
        "warn"
    } else if pattern.contains("ERROR") {
        "error"
    } else {
        "debug"
    }
}

/// Returns the log targets of a pattern; none when it is that of another library.
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
    let all = if everything { &ALL_CRATES[..] } else { &[] };
    all.iter().copied().chain(class.map(|(_, target)| *target))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(variables: &[(&str, &str)]) -> Option<String> {
        from_environment(&Environment::from_pairs(variables))
    }

    #[test]
    fn levels_of_other_loggers_are_translated() {
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
    fn media_engine_level_can_be_set_separately() {
        let filter_text = filter(&[("LOG_LEVEL", "debug"), ("MEDIASOUP_LOG_LEVEL", "none")]);
        assert_eq!(
            filter_text.unwrap(),
            "debug,watersmeet_engine=off,watersmeet_net=off"
        );
        let filter_text = filter(&[
            ("MEDIASOUP_LOG_LEVEL", "none"),
            ("WORKER_LOG_LEVEL", "warn"),
        ]);
        assert!(
            filter_text
                .unwrap()
                .starts_with("info,watersmeet_engine=warn")
        );
        assert_eq!(
            filter(&[("RUST_LOG", "a=b"), ("DEBUG", "*")]).unwrap(),
            "a=b"
        );
    }

    #[test]
    fn debug_patterns_of_mediasoup_apply_and_others_are_ignored() {
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
    fn debug_supports_warnings_classes_and_exclusions() {
        let filter_text = filter(&[("LOG_LEVEL", "error"), ("DEBUG", "mediasoup:WARN*")]).unwrap();
        assert!(
            filter_text.starts_with("error,watersmeet=warn,"),
            "{filter_text}"
        );
        let filter_text =
            filter(&[("DEBUG", "mediasoup:Producer, mediasoup:ERROR:Worker*")]).unwrap();
        assert_eq!(
            filter_text,
            "info,watersmeet_engine::worker=error,watersmeet_engine::producer=debug"
        );
        let filter_text = filter(&[("DEBUG", "mediasoup:* -mediasoup:Transport")]).unwrap();
        assert!(
            filter_text.ends_with(",watersmeet_engine::transport=info"),
            "{filter_text}"
        );
        for filter in [&filter_text, "off", "trace"] {
            tracing_subscriber::EnvFilter::builder()
                .parse(filter)
                .unwrap();
        }
    }

    #[test]
    fn contradicting_variables_cause_warnings() {
        let warnings_of =
            |variables: &[(&str, &str)]| warnings(&Environment::from_pairs(variables)).join("\n");
        assert_eq!(
            warnings_of(&[("LOG_LEVEL", "warn"), ("RUST_LOG", "warn")]),
            ""
        );
        assert!(
            warnings_of(&[("LOG_LEVEL", "warn"), ("RUST_LOG", "a=b")]).contains("RUST_LOG holds")
        );
        let engine = [
            ("MEDIASOUP_LOG_LEVEL", "warn"),
            ("WORKER_LOG_LEVEL", "debug"),
        ];
        assert!(warnings_of(&engine).contains("WORKER_LOG_LEVEL holds"));
    }
}
