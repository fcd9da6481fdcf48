//! What a client gets that is not served.

use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{Html, IntoResponse, Response};
use serde_json::json;

use crate::settings::Answer;

/// The names that libraries give themselves when nobody tells them better.
const LIBRARIES: [&str; 16] = [
    "aiohttp",
    "apache-httpclient",
    "axios",
    "curl",
    "go-http-client",
    "got",
    "java",
    "node",
    "node-fetch",
    "okhttp",
    "python",
    "python-httpx",
    "python-requests",
    "python-urllib",
    "reqwest",
    "wget",
];

/// An error with a sentence.
pub(super) fn error(status: StatusCode, sentence: &str) -> Response {
    let body = json!({"httpCode": status.as_u16(), "httpReason": status.canonical_reason(), "message": sentence});
    let mut response = (status, format!("{body}\n")).into_response();
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if matches!(status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE) {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// What was planned for a connection instead of events.
pub(super) fn planned(answer: Answer) -> Response {
    match answer {
        Answer::Status(429) => {
            error(StatusCode::TOO_MANY_REQUESTS, "too many connections from this address; wait, then try again")
        }
        Answer::Status(503) => {
            error(StatusCode::SERVICE_UNAVAILABLE, "the service is being looked after; try again in a moment")
        }
        Answer::Status(status) => error(
            StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            "this answer was asked for",
        ),
        Answer::Html | Answer::Events => {
            Html("<!DOCTYPE html><title>A page</title><p>This is a page for people.\n").into_response()
        }
    }
}

/// Wikimedia's rule: who reads says who he is, and how to reach him. The answer for those who do not.
pub(super) fn identify(headers: &HeaderMap) -> Option<Response> {
    let named = ["user-agent", "api-user-agent"].into_iter().filter_map(|name| headers.get(name)?.to_str().ok());
    let is_known = named.into_iter().any(tells_who);
    (!is_known).then(|| {
        error(
            StatusCode::FORBIDDEN,
            "say who you are: User-Agent: name/version (address of a page or mailbox) library/version; a library's own name \
             is not enough",
        )
    })
}

/// Whether a User-Agent is more than the name that a library gives itself.
fn tells_who(agent: &str) -> bool {
    let product = agent.split(['/', ' ']).next().unwrap_or_default().to_lowercase();
    !product.is_empty() && !LIBRARIES.contains(&product.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_are_not_who() {
        for agent in
            ["", "python-requests/2.32.3", "Python/3.11 aiohttp/3.9", "curl/8.1", "Go-http-client/1.1", "Java/17"]
        {
            assert!(!tells_who(agent), "{agent}");
        }
        for agent in
            ["cutaway-demo/0.1 (local) reqwest/0.13", "lesson/1.0 (a@example.org) python-requests/2.32", "Mozilla/5.0"]
        {
            assert!(tells_who(agent), "{agent}");
        }
    }
}
