//! Forty documents that were made to hurt whoever reads them as RTP parameters or capabilities:
//! each is refused, and none makes the reader hold more than a mebibyte on the way.

use allocation_counter::measure;
use watersmeet_wire::params::{RtpCapabilities, RtpParameters};

/// Longest document: four times what a signalling connection accepts in one message.
const DOCUMENT_LEN_MAX: usize = 512 << 10;

/// Most memory that one document may take at a time.
const HELD_MAX: u64 = 1 << 20;

/// Elements that fill a list: nothing, nesting, and ones that are fine by themselves.
const ELEMENTS: [&str; 8] = [
    "{}",
    "[]",
    "0",
    "null",
    "\"text\"",
    "{\"uri\":\"u\",\"id\":1,\"kind\":\"audio\",\"preferredId\":1}",
    "{\"mimeType\":\"audio/opus\",\"payloadType\":1,\"clockRate\":48000}",
    "{\"type\":\"nack\"}",
];

/// As many `element`s as a document may hold, with commas between them.
fn many(element: &str) -> String {
    let count = (DOCUMENT_LEN_MAX - 200) / (element.len() + 1);
    let mut list = format!("{element},").repeat(count);
    list.push_str(element);
    list
}

/// The documents.
fn bombs() -> Vec<String> {
    let mut bombs = Vec::new();
    for element in ELEMENTS {
        for field in ["codecs", "headerExtensions", "encodings"] {
            let codecs = if field == "codecs" {
                ""
            } else {
                "\"codecs\":[],"
            };
            bombs.push(format!("{{{codecs}\"{field}\":[{}]}}", many(element)));
        }
        let codec = "\"mimeType\":\"audio/opus\",\"payloadType\":1,\"clockRate\":1";
        bombs.push(format!(
            "{{\"codecs\":[{{{codec},\"rtcpFeedback\":[{}]}}]}}",
            many(element)
        ));
    }
    let codec = |field: &str| {
        format!("{{\"codecs\":[{{\"mimeType\":\"a\",\"payloadType\":1,\"clockRate\":1,{field}}}]}}")
    };
    let named: String = (0..40_000).map(|it| format!("\"{it:x}\":1,")).collect();
    let long = "x".repeat(DOCUMENT_LEN_MAX - 200);
    bombs.push(codec(&format!("\"parameters\":{{{named}\"last\":1}}")));
    bombs.push(codec(&format!("\"parameters\":{{\"x\":\"{long}\"}}")));
    bombs.push(codec(&format!("\"parameters\":{{\"{long}\":1}}")));
    bombs.push(format!("{{\"codecs\":[],\"mid\":\"{long}\"}}"));
    bombs.push(format!(
        "{{\"codecs\":[{{\"mimeType\":\"audio/{long}\"}}]}}"
    ));
    bombs.push("[".repeat(DOCUMENT_LEN_MAX));
    bombs.push(format!(
        "{{\"codecs\":{}",
        "[".repeat(DOCUMENT_LEN_MAX - 200)
    ));
    bombs.push(format!(
        "{{\"unknown\":{}",
        "[".repeat(DOCUMENT_LEN_MAX - 200)
    ));
    bombs
}

#[test]
fn forty_bombs_are_refused_and_hold_less_than_a_mebibyte() {
    let bombs = bombs();
    assert_eq!(bombs.len(), 40);
    for bomb in &bombs {
        assert!(bomb.len() <= DOCUMENT_LEN_MAX);
        let mut refused = 0;
        let counted = measure(|| {
            refused += usize::from(serde_json::from_str::<RtpParameters>(bomb).is_err());
        });
        let beginning: String = bomb.chars().take(80).collect();
        assert_eq!(refused, 1, "{beginning}");
        assert!(
            counted.bytes_max <= HELD_MAX,
            "{} for {beginning}",
            counted.bytes_max
        );
        // Capabilities have no encodings: what is unknown there is skipped, and must not cost.
        let counted = measure(|| drop(serde_json::from_str::<RtpCapabilities>(bomb)));
        assert!(
            counted.bytes_max <= HELD_MAX,
            "{} for {beginning}",
            counted.bytes_max
        );
    }
}
