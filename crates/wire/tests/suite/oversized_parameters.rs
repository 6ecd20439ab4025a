//! Forty oversized JSON documents, read as RTP parameters and capabilities: each is rejected, and
//! none makes the parser hold more than 1 MiB.

use allocation_counter::measure;
use watersmeet_wire::params::{RtpCapabilities, RtpParameters};

/// Longest document, in bytes: four times the longest message of a signalling connection.
const DOCUMENT_LEN_MAX: usize = 512 << 10;

/// Most memory that parsing one document may hold at a time, in bytes.
const HELD_MAX: u64 = 1 << 20;

/// Elements to fill lists with: empty, nested, and valid ones.
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

/// Returns as many elements as a document may hold, separated by commas.
fn repeat_to_limit(element: &str) -> String {
    let count = (DOCUMENT_LEN_MAX - 200) / (element.len() + 1);
    let mut list = format!("{element},").repeat(count);
    list.push_str(element);
    list
}

/// Returns the forty documents.
fn documents() -> Vec<String> {
    let mut documents = Vec::new();
    for element in ELEMENTS {
        for field in ["codecs", "headerExtensions", "encodings"] {
            let codecs = if field == "codecs" {
                ""
            } else {
                "\"codecs\":[],"
            };
            documents.push(format!(
                "{{{codecs}\"{field}\":[{}]}}",
                repeat_to_limit(element)
            ));
        }
        let codec = "\"mimeType\":\"audio/opus\",\"payloadType\":1,\"clockRate\":1";
        documents.push(format!(
            "{{\"codecs\":[{{{codec},\"rtcpFeedback\":[{}]}}]}}",
            repeat_to_limit(element)
        ));
    }
    let codec = |field: &str| {
        format!("{{\"codecs\":[{{\"mimeType\":\"a\",\"payloadType\":1,\"clockRate\":1,{field}}}]}}")
    };
    let named: String = (0..40_000).map(|it| format!("\"{it:x}\":1,")).collect();
    let long = "x".repeat(DOCUMENT_LEN_MAX - 200);
    documents.push(codec(&format!("\"parameters\":{{{named}\"last\":1}}")));
    documents.push(codec(&format!("\"parameters\":{{\"x\":\"{long}\"}}")));
    documents.push(codec(&format!("\"parameters\":{{\"{long}\":1}}")));
    documents.push(format!("{{\"codecs\":[],\"mid\":\"{long}\"}}"));
    documents.push(format!(
        "{{\"codecs\":[{{\"mimeType\":\"audio/{long}\"}}]}}"
    ));
    documents.push("[".repeat(DOCUMENT_LEN_MAX));
    documents.push(format!(
        "{{\"codecs\":{}",
        "[".repeat(DOCUMENT_LEN_MAX - 200)
    ));
    documents.push(format!(
        "{{\"unknown\":{}",
        "[".repeat(DOCUMENT_LEN_MAX - 200)
    ));
    documents
}

#[test]
fn oversized_documents_are_rejected_in_less_than_one_mebibyte() {
    let documents = documents();
    assert_eq!(documents.len(), 40);
    for document in &documents {
        assert!(document.len() <= DOCUMENT_LEN_MAX);
        let mut rejected = 0;
        let counted = measure(|| {
            rejected += usize::from(serde_json::from_str::<RtpParameters>(document).is_err());
        });
        let beginning: String = document.chars().take(80).collect();
        assert_eq!(rejected, 1, "{beginning}");
        assert!(
            counted.bytes_max <= HELD_MAX,
            "{} for {beginning}",
            counted.bytes_max
        );
        // Capabilities have no encodings: the unknown field is skipped, and must not be stored.
        let counted = measure(|| drop(serde_json::from_str::<RtpCapabilities>(document)));
        assert!(
            counted.bytes_max <= HELD_MAX,
            "{} for {beginning}",
            counted.bytes_max
        );
    }
}
