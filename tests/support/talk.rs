//! A conversation with one broker, written down so that it can be laid beside the same conversation with another.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use anyhow::{Context, bail};
use bytes::BytesMut;
use cutaway::schema::table;
use kafka_protocol::protocol::Request;
use serde_json::{Value, json};

use crate::decode::decode;
use crate::raw_client::{RawClient, Reply};

/// The answers that a broker may take to know a new topic, or to have forgotten a deleted one.
const MOST_POLLS: usize = 100_000;

/// One conversation with one broker.
pub struct Talk {
    address: SocketAddr,
    client: RawClient,
    steps: Vec<Step>,
}

/// A question by its name, and what came back.
#[derive(Debug)]
pub struct Step {
    name: String,
    answer: Value,
    /// Whether the order of the answer's first array means nothing.
    any_order: bool,
}

impl Step {
    /// A question and its answer, whose order matters.
    pub fn new(name: &str, answer: Value) -> Step {
        Step { name: name.to_owned(), answer, any_order: false }
    }
}

impl Talk {
    /// Opens a conversation.
    pub fn with(address: SocketAddr) -> anyhow::Result<Talk> {
        Ok(Talk { address, client: RawClient::connect(address)?, steps: Vec::new() })
    }

    /// Asks, notes the answer down, and returns it.
    pub fn ask<R: Request>(&mut self, name: &str, version: i16, request: &R) -> anyhow::Result<Value> {
        let body = encode(name, version, request)?;
        self.ask_bytes(name, R::KEY, version, &body)
    }

    /// As [`Self::ask`], where the elements of the answer may come in any order.
    pub fn ask_in_any_order<R: Request>(&mut self, name: &str, version: i16, request: &R) -> anyhow::Result<Value> {
        let answer = self.ask(name, version, request)?;
        self.steps.last_mut().expect("the step was just noted down").any_order = true;
        Ok(answer)
    }

    /// As [`Self::ask`], where `tidy` makes of the answer what two brokers must have in common.
    pub fn ask_and_tidy<R: Request>(
        &mut self,
        name: &str,
        version: i16,
        request: &R,
        tidy: impl FnOnce(&mut Value),
    ) -> anyhow::Result<()> {
        let mut answer = self.learn(version, request).with_context(|| format!("{name}, version {version}"))?;
        tidy(&mut answer);
        self.note(name, version, answer);
        Ok(())
    }

    /// As [`Self::ask_bytes`], where the elements of the answer may come in any order.
    pub fn ask_bytes_in_any_order(
        &mut self,
        name: &str,
        api_key: i16,
        version: i16,
        body: &[u8],
    ) -> anyhow::Result<Value> {
        let answer = self.ask_bytes(name, api_key, version, body)?;
        self.steps.last_mut().expect("the step was just noted down").any_order = true;
        Ok(answer)
    }

    /// As [`Self::ask`], with a body of any bytes.
    pub fn ask_bytes(&mut self, name: &str, api_key: i16, version: i16, body: &[u8]) -> anyhow::Result<Value> {
        let answer = self.exchange(api_key, version, body).with_context(|| format!("{name}, version {version}"))?;
        self.steps.push(Step::new(&format!("{name}, version {version}"), answer.clone()));
        Ok(answer)
    }

    /// Asks for what the conversation needs to go on, such as an id, without noting it down.
    pub fn learn<R: Request>(&mut self, version: i16, request: &R) -> anyhow::Result<Value> {
        let body = encode("a question", version, request)?;
        self.exchange(R::KEY, version, &body)
    }

    /// Asks until the answer is as it should be: what a broker's controller decides, its other parts learn a little later.
    pub fn learn_until<R: Request>(
        &mut self,
        version: i16,
        request: &R,
        is_so: impl Fn(&Value) -> bool,
    ) -> anyhow::Result<Value> {
        let mut last = Value::Null;
        for _ in 0..MOST_POLLS {
            last = self.learn(version, request)?;
            if is_so(&last) {
                return Ok(last);
            }
        }
        bail!("the broker did not come to the state that the conversation needs, and says {last}")
    }

    /// A second client in the same conversation; what it hears is taken over by [`Self::absorb`].
    pub fn another(&self) -> anyhow::Result<Talk> {
        Talk::with(self.address)
    }

    /// Sends a request whose answer may be long in coming.
    pub fn begin<R: Request>(&mut self, version: i16, request: &R) -> anyhow::Result<()> {
        self.client.send(R::KEY, version, &encode("a request", version, request)?)
    }

    /// Waits for the answer to what was begun, and notes it down as `tidy` leaves it.
    pub fn end<R: Request>(&mut self, name: &str, version: i16, tidy: impl FnOnce(&mut Value)) -> anyhow::Result<()> {
        let reply = self.client.receive(R::KEY, version)?;
        let mut answer = self.read(R::KEY, version, reply).with_context(|| format!("{name}, version {version}"))?;
        tidy(&mut answer);
        self.note(name, version, answer);
        Ok(())
    }

    /// Notes down what was learned.
    pub fn note(&mut self, name: &str, version: i16, answer: Value) {
        self.steps.push(Step::new(&format!("{name}, version {version}"), answer));
    }

    /// Takes over what a second client has heard.
    pub fn absorb(&mut self, other: Talk) {
        self.steps.extend(other.steps);
    }

    /// Sends a request that nobody answers, then asks for ApiVersions, to see whether the connection still serves.
    pub fn tell<R: Request>(&mut self, name: &str, version: i16, request: &R) -> anyhow::Result<()> {
        let body = encode(name, version, request)?;
        self.client.send(R::KEY, version, &body)?;
        let serves = match self.client.ask(18, 0, &[])? {
            Reply::Body(_) => json!("serves on"),
            reply => self.no_answer(&reply)?,
        };
        self.steps.push(Step::new(&format!("{name}, version {version}"), serves));
        Ok(())
    }

    /// What was said.
    pub fn steps(self) -> Vec<Step> {
        self.steps
    }

    fn exchange(&mut self, api_key: i16, version: i16, body: &[u8]) -> anyhow::Result<Value> {
        let reply = self.client.ask(api_key, version, body)?;
        self.read(api_key, version, reply)
    }

    fn read(&mut self, api_key: i16, version: i16, reply: Reply) -> anyhow::Result<Value> {
        match reply {
            Reply::Body(bytes) => {
                let response = table().response(api_key).with_context(|| format!("no API has the key {api_key}"))?;
                // Only ApiVersions answers a version that it does not know, and in its oldest form.
                let version = if response.versions.contains(version) { version } else { 0 };
                decode(response, version, &bytes)
            }
            reply => self.no_answer(&reply),
        }
    }

    /// Goes on with a new connection.
    fn no_answer(&mut self, reply: &Reply) -> anyhow::Result<Value> {
        self.client = RawClient::connect(self.address)?;
        Ok(json!(if *reply == Reply::Closed { "closed" } else { "silent" }))
    }
}

/// Where the two conversations differ, one line each: `<step>: <path>: <left>, <right>`.
pub fn differences(left: &[Step], right: &[Step]) -> Vec<String> {
    let mut differences = Vec::new();
    if left.len() != right.len() {
        differences.push(format!("one conversation has {} steps, the other {}", left.len(), right.len()));
    }
    for (left, right) in left.iter().zip(right) {
        let (mut left_answer, mut right_answer) = (left.answer.clone(), right.answer.clone());
        if left.any_order || right.any_order {
            sort_arrays(&mut left_answer);
            sort_arrays(&mut right_answer);
        }
        compare(&left.name, "", &left_answer, &right_answer, &mut differences);
    }
    differences
}

fn compare(step: &str, path: &str, left: &Value, right: &Value, differences: &mut Vec<String>) {
    match (left, right) {
        (Value::Object(left), Value::Object(right)) => {
            for name in left.keys().chain(right.keys()).collect::<BTreeSet<_>>() {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                let value = |fields: &serde_json::Map<String, Value>| {
                    fields.get(name).map_or(json!("absent"), |value| plain(name, value))
                };
                compare(step, &path, &value(left), &value(right), differences);
            }
        }
        (Value::Array(left), Value::Array(right)) if left.len() == right.len() => {
            for (index, (left, right)) in left.iter().zip(right).enumerate() {
                compare(step, &format!("{path}[{index}]"), left, right, differences);
            }
        }
        _ if left != right => differences.push(format!("{step}: {path}: {left}, {right}")),
        _ => {}
    }
}

/// What two brokers must have in common in a value: where each makes up its own, only whether there is one.
fn plain(name: &str, value: &Value) -> Value {
    match (name, value) {
        (
            "port"
            | "sessionId"
            | "producerId"
            | "finalizedFeaturesEpoch"
            | "totalBytes"
            | "usableBytes"
            | "lastFetchTimestamp"
            | "lastCaughtUpTimestamp",
            Value::Number(number),
        ) => json!(number.as_i64().map(i64::signum)),
        ("topicId" | "clusterId" | "replicaDirectoryId", Value::String(text)) => {
            json!(text.chars().any(|character| character != '0'))
        }
        ("logDir", Value::String(path)) => json!(path.starts_with('/')),
        // Timestamps in error messages.
        (_, Value::String(text)) if name.ends_with("rrorMessage") => json!(without_long_numbers(text)),
        _ => value.clone(),
    }
}

fn without_long_numbers(text: &str) -> String {
    let words = text.split(|character: char| !character.is_ascii_digit());
    let long: BTreeSet<&str> = words.filter(|word| word.len() >= 10).collect();
    long.into_iter().fold(text.to_owned(), |text, number| text.replace(number, "<number>"))
}

fn sort_arrays(value: &mut Value) {
    match value {
        Value::Array(elements) => {
            elements.iter_mut().for_each(sort_arrays);
            elements.sort_by_key(|element| element.get("name").unwrap_or(element).to_string());
        }
        Value::Object(fields) => fields.values_mut().for_each(sort_arrays),
        _ => {}
    }
}

fn encode<R: Request>(name: &str, version: i16, request: &R) -> anyhow::Result<BytesMut> {
    let mut body = BytesMut::new();
    request.encode(&mut body, version).with_context(|| format!("{name} does not encode in version {version}"))?;
    Ok(body)
}
