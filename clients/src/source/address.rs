//! Where a stream is: the simulator, the public service, or any URL; and how we introduce ourselves there.

use reqwest::Url;

use super::Service;
use crate::options::SourceOptions;
use crate::run::Mistake;

/// Where the simulator listens unless it is told otherwise; one listener serves both streams.
const SIMULATOR: &str = "http://127.0.0.1:8090";

/// What Wikimedia asks of every client, in one sentence.
pub(super) const USER_AGENT_RULE: &str = "Wikimedia's User-Agent rule asks every client for a contact: give \
    --contact with your e-mail address or a page about you (or the variable EVENT_CONTACT)";

/// A stream's address and our name there.
#[derive(Clone, Debug)]
pub struct Address {
    /// Scheme, host, path and parameters.
    pub url: Url,
    /// What we say we are.
    pub user_agent: String,
}

impl Address {
    /// Reads `--source` and `--contact`.
    ///
    /// # Errors
    /// When that is no address, or the contact is missing where it is asked for.
    pub fn of(service: Service, options: &SourceOptions) -> Result<Address, Mistake> {
        let text = match options.source.as_str() {
            "events" => SIMULATOR,
            "live" => service.live(),
            url => url,
        };
        let url = service_url(service, text)?;
        let contact = options.contact.as_deref().map(str::trim).filter(|contact| !contact.is_empty());
        let is_wikimedia = url.host_str().is_some_and(|host| host.ends_with("wikimedia.org"));
        if is_wikimedia && contact.is_none() {
            return Err(Mistake(USER_AGENT_RULE.to_owned()));
        }
        let version = env!("CARGO_PKG_VERSION");
        let user_agent = format!("cutaway-demo/{version} ({}) reqwest/0.13", contact.unwrap_or("local simulator"));
        if !user_agent.bytes().all(|byte| (b' '..=b'~').contains(&byte)) {
            return Err(Mistake("--contact may hold ASCII characters only: it is sent in an HTTP header".to_owned()));
        }
        Ok(Address { url, user_agent })
    }

    /// Whether that is on this machine.
    pub(super) fn is_local(&self) -> bool {
        matches!(self.url.host_str(), Some("localhost" | "127.0.0.1" | "[::1]"))
    }

    /// Host and port, for sentences.
    pub fn place(&self) -> String {
        let host = self.url.host_str().unwrap_or_default();
        self.url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"))
    }
}

/// The URL with the scheme that the service speaks, and its path where none was given.
fn service_url(service: Service, text: &str) -> Result<Url, Mistake> {
    let refused = |why: &str| {
        Mistake(format!("--source {text} {why}; write `events`, `live`, or a URL such as http://127.0.0.1:8090"))
    };
    let (scheme, rest) = text.split_once("://").ok_or_else(|| refused("is no URL"))?;
    let is_secure = match scheme.to_ascii_lowercase().as_str() {
        "http" | "ws" => false,
        "https" | "wss" => true,
        _ => return Err(refused("is neither http(s) nor ws(s)")),
    };
    let scheme = match (service, is_secure) {
        (Service::Wikipedia, false) => "http",
        (Service::Wikipedia, true) => "https",
        (Service::Bluesky, false) => "ws",
        (Service::Bluesky, true) => "wss",
    };
    let mut url =
        Url::parse(&format!("{scheme}://{rest}")).map_err(|error| refused(&format!("is no URL ({error})")))?;
    if url.path().trim_matches('/').is_empty() && url.query().is_none() {
        let (path, query) = service.path();
        url.set_path(path);
        url.set_query(query);
    }
    Ok(url)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn address(service: Service, source: &str, contact: Option<&str>) -> Result<Address, String> {
        let options = SourceOptions {
            source: source.to_owned(),
            contact: contact.map(str::to_owned),
            stall: Duration::from_secs(60),
            max_event_bytes: 1 << 20,
        };
        Address::of(service, &options).map_err(|error| error.to_string())
    }

    fn url(service: Service, source: &str) -> String {
        address(service, source, None).unwrap().url.to_string()
    }

    #[test]
    fn a_url_without_a_path_gets_the_services() {
        let post = "subscribe?wantedCollections=app.bsky.feed.post";
        assert_eq!(url(Service::Wikipedia, "events"), "http://127.0.0.1:8090/v2/stream/recentchange");
        assert_eq!(url(Service::Bluesky, "events"), format!("ws://127.0.0.1:8090/{post}"));
        assert_eq!(url(Service::Bluesky, "https://h:1/"), format!("wss://h:1/{post}"));
        assert_eq!(url(Service::Bluesky, "live"), format!("wss://jetstream2.us-west.bsky.network/{post}"));
        assert_eq!(url(Service::Wikipedia, "http://h/my/path?x=1"), "http://h/my/path?x=1");
        assert_eq!(url(Service::Bluesky, "ws://h/subscribe"), "ws://h/subscribe");
    }

    #[test]
    fn what_is_no_address_is_refused() {
        for source in ["evnts", "ftp://h", "http://", "http://h:99999"] {
            let refusal = address(Service::Wikipedia, source, None).unwrap_err();
            assert!(refusal.starts_with(&format!("--source {source} is n")), "{refusal}");
        }
    }

    #[test]
    fn wikimedia_wants_a_contact() {
        assert_eq!(address(Service::Wikipedia, "live", None).unwrap_err(), USER_AGENT_RULE);
        assert_eq!(address(Service::Wikipedia, "live", Some(" ")).unwrap_err(), USER_AGENT_RULE);
        let ours = address(Service::Wikipedia, "live", Some("me@example.org")).unwrap().user_agent;
        assert_eq!(ours, format!("cutaway-demo/{} (me@example.org) reqwest/0.13", env!("CARGO_PKG_VERSION")));
        let local = address(Service::Wikipedia, "events", None).unwrap().user_agent;
        assert!(local.contains("(local simulator)"), "{local}");
        assert!(address(Service::Wikipedia, "live", Some("a\r\nb")).is_err());
    }
}
