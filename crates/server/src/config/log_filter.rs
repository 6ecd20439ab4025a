//! Builds the log filter from environment variables of other servers. `LOG_LEVEL` is the level of the
//! whole program; `MEDIASOUP_LOG_LEVEL` and `WORKER_LOG_LEVEL` that of the media engine;
//! `DEBUG=mediasoup:*` enables everything, like Node's `debug` package. `RUST_LOG` and
//! `WATERSMEET_LOG` are filters already and take precedence. An unknown level in a variable that other
//! programs read too is ignored with a warning; in a filter it is an error (`check`).

use tracing_subscriber::EnvFilter;

use super::error::suggestion;
use super::variables::Environment;

/// Default level.
const DEFAULT_LEVEL: &str = "info";

/// Levels of a filter.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Libraries whose log lines can be selected.
const LIBRARIES: [&str; 12] = [
    "axum",
    "dimpl",
    "engineioxide",
    "h2",
    "hyper",
    "rustls",
    "stun_types",
    "tokio",
    "tokio_tungstenite",
    "tower",
    "tungstenite",
    "turn_types",
];

/// Modules of the program, each a target of log lines.
const MODULES: &[&str] = include!(concat!(env!("OUT_DIR"), "/modules.rs"));

/// What a filter can be.
const HELP: &str = "use a level (`off`, `error`, `warn`, `info`, `debug`, `trace`) or a filter such as \
    `info,watersmeet_engine=debug`";

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

/// Checks a filter. A target that does not exist would select no lines, so that nothing is logged.
///
/// # Errors
/// Says what is wrong with the filter.
pub fn check(filter: &str) -> Result<(), String> {
    if filter.trim().is_empty() {
        return Err(format!("`log` is empty: {HELP}"));
    }
    for directive in filter.split(',') {
        check_directive(directive.trim()).map_err(|error| format!("`log`: {error}; {HELP}"))?;
    }
    match EnvFilter::builder().parse(filter) {
        Ok(_) => Ok(()),
        Err(error) => Err(format!("`log`: `{filter}`: {error}; {HELP}")),
    }
}

/// Checks a level, a target, or a directive such as `target=level` or `target[span{field=value}]=level`.
fn check_directive(directive: &str) -> Result<(), String> {
    let (target, level_name) = match (directive.find('['), directive.rfind(']')) {
        (Some(start), Some(end)) => {
            let target = directive.get(..start).unwrap_or_default();
            let after = directive.get(end + 1..).unwrap_or_default();
            (target, after.strip_prefix('='))
        }
        _ => match directive.split_once('=') {
            Some((target, level_name)) => (target, Some(level_name)),
            None if directive.is_empty() || is_level(directive) || is_target(directive) => {
                return Ok(());
            }
            None => return Err(no_level_or_target(directive)),
        },
    };
    if !target.is_empty() && !is_target(target) {
        let suggestion = target_suggestion(target);
        return Err(format!(
            "`{directive}`: there is no target `{target}`{suggestion}"
        ));
    }
    if let Some(name) = level_name.filter(|name| !is_level(name)) {
        let suggestion = suggestion(&level(name), LEVELS.into_iter());
        return Err(format!(
            "`{directive}`: there is no level `{name}`{suggestion}"
        ));
    }
    Ok(())
}

/// Returns the error for a word that is neither a level nor a target.
fn no_level_or_target(word: &str) -> String {
    let as_level = suggestion(&level(word), LEVELS.into_iter());
    let suggestion = if as_level.is_empty() {
        target_suggestion(word)
    } else {
        as_level
    };
    format!("there is no level `{word}`{suggestion}")
}

/// Returns `; did you mean …?` when a target is similar to the one written, with or without the common
/// part of the names of our crates.
fn target_suggestion(written: &str) -> String {
    let known = || LIBRARIES.into_iter().chain(MODULES.iter().copied());
    let found = suggestion(written, known());
    if !found.is_empty() {
        return found;
    }
    suggestion(&format!("watersmeet_{written}"), known())
}

fn is_level(word: &str) -> bool {
    LEVELS.iter().any(|level| level.eq_ignore_ascii_case(word))
        || matches!(word, "0" | "1" | "2" | "3" | "4" | "5")
}

/// Returns whether log lines have this target: a module of ours, or one of a known library.
fn is_target(word: &str) -> bool {
    let root = word.split("::").next().unwrap_or_default();
    MODULES.contains(&word) || LIBRARIES.contains(&root)
}

/// Returns the variable that sets the filter, unless that is `WATERSMEET_LOG`.
pub fn variable(environment: &Environment) -> Option<&'static str> {
    let names = [
        "RUST_LOG",
        "LOG_LEVEL",
        "WORKER_LOG_LEVEL",
        "MEDIASOUP_LOG_LEVEL",
        "DEBUG",
    ];
    names
        .into_iter()
        .find(|name| environment.get(name).is_some())
}

/// Returns the filter that the environment sets, if any.
pub fn from_environment(environment: &Environment) -> Option<String> {
    if let Some(filter) = environment.get("RUST_LOG") {
        return Some(filter.to_owned());
    }
    let base = level_of(environment, "LOG_LEVEL");
    let mut directives = vec![base.clone().unwrap_or_else(|| DEFAULT_LEVEL.to_owned())];
    let engine = ENGINE_LEVELS
        .iter()
        .rev()
        .find_map(|name| level_of(environment, name));
    if let Some(engine) = engine {
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
    let levels = ["LOG_LEVEL"].into_iter().chain(ENGINE_LEVELS);
    for (name, word) in levels.filter_map(|name| Some((name, environment.get(name)?))) {
        if !word.split(',').all(is_known) {
            warnings.push(format!("{name}: there is no level `{word}`; it is ignored"));
        }
    }
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

/// Returns the level that a variable sets, translated; `None` when it is unknown.
fn level_of(environment: &Environment, name: &str) -> Option<String> {
    let word = environment.get(name)?;
    word.split(',').all(is_known).then(|| level(word))
}

/// Returns whether a word of a variable is a level of any logger, or a directive of a filter.
fn is_known(word: &str) -> bool {
    let word = word.trim();
    is_level(&level(word)) || word.contains('=') && check_directive(word).is_ok()
}

/// Translates a level of Node's loggers.
fn level(word: &str) -> String {
    match word.to_ascii_lowercase().as_str() {
        "none" | "silent" | "off" => "off".to_owned(),
        "fatal" | "critical" | "emerg" | "alert" | "crit" => "error".to_owned(),
        "warning" => "warn".to_owned(),
        "notice" | "log" => "info".to_owned(),
        "verbose" | "http" => "debug".to_owned(),
        "silly" | "all" | "notset" => "trace".to_owned(),
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
        let foreign = [("LOG_LEVEL", "express=debug")];
        assert_eq!(filter(&foreign), None);
        assert!(
            warnings(&Environment::from_pairs(&foreign))
                .concat()
                .contains("express")
        );
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
    fn filter_with_an_unknown_level_is_refused() {
        for filter in [
            "info",
            "WARN",
            "off",
            "info,watersmeet_engine=debug",
            "watersmeet_engine::worker,warn",
            "info,hyper=off",
            "warn,[session{id=1}]=trace",
            "info,watersmeet::hub[session{id=1}]=trace,hyper::proto=warn",
            "watersmeet_engine::transport::dtls=trace, watersmeet_net",
        ] {
            check(filter).unwrap();
        }
        for (filter, word) in [
            ("loud", "`loud`"),
            ("warning", "`warn`"),
            ("inof", "`info`"),
            ("info,loud", "`loud`"),
            ("watersmeet=loud", "watersmeet=loud"),
            ("a=b=c", "a=b=c"),
            ("watersmeet_engin=debug", "`watersmeet_engine`"),
            ("info,watersmeet_engin=debug", "`watersmeet_engine`"),
            ("conference=debug", "`watersmeet_conference`"),
            ("conference", "`watersmeet_conference`"),
            ("watersmeet_server=debug", "watersmeet_server=debug"),
            (
                "watersmeet_engine::wroker=debug",
                "`watersmeet_engine::worker`",
            ),
            ("watersmeet::htp", "`watersmeet::http`"),
            ("watersmeet_engin[session]=debug", "`watersmeet_engine`"),
            ("watersmeet=debgu", "`debug`"),
            ("[session]=inof", "`info`"),
            ("hypr=off", "`hyper`"),
            ("", "empty"),
        ] {
            let error = check(filter).unwrap_err();
            assert!(
                error.starts_with("`log`") && error.contains(word),
                "{error}"
            );
        }
    }

    #[test]
    fn unknown_level_in_a_shared_variable_is_ignored_with_a_warning() {
        assert_eq!(filter(&[("LOG_LEVEL", "loud")]), None);
        let variables = [("LOG_LEVEL", "30"), ("WORKER_LOG_LEVEL", "high")];
        let warnings = warnings(&Environment::from_pairs(&variables)).join("\n");
        assert!(
            warnings.contains("`30`") && warnings.contains("`high`"),
            "{warnings}"
        );
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
