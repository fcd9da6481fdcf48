//! Reading one value by its definition, in Kafka's way and with Kafka's error texts.

use std::collections::HashSet;
use std::fmt;

use super::definition::{Allowed, Definition, Kind};

/// A value that its definition accepts.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Of `BOOLEAN`.
    Boolean(bool),
    /// Of `SHORT`, `INT` and `LONG`; within the type's range.
    Whole(i64),
    /// Of `DOUBLE`.
    Double(f64),
    /// Of `STRING`, `CLASS` and `PASSWORD`.
    Text(String),
    /// Of `LIST`.
    List(Vec<String>),
}

impl fmt::Display for Value {
    /// As Java prints it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Value::Boolean(is_true) => write!(f, "{is_true}"),
            Value::Whole(number) => write!(f, "{number}"),
            Value::Double(number) if *number == 0.0 || (1e-3..1e7).contains(&number.abs()) => write!(f, "{number:?}"),
            Value::Double(number) => {
                let text = format!("{number:E}");
                match text.split_once('E') {
                    Some((digits, exponent)) if !digits.contains('.') => write!(f, "{digits}.0E{exponent}"),
                    _ => f.write_str(&text),
                }
            }
            Value::Text(text) => f.write_str(text),
            Value::List(items) => f.write_str(&items.join(",")),
        }
    }
}

impl Definition {
    /// Reads a value; the error is the sentence that Kafka's `ConfigDef` would answer.
    pub fn parse(&self, raw: &str) -> Result<Value, String> {
        let mut value = self.parse_kind(raw).map_err(|why| self.invalid(raw, &why))?;
        if let (Allowed::EachOf(_) | Allowed::SomeOf, Value::List(items)) = (self.allowed, &mut value) {
            // What is said twice counts once, as in Kafka's `ConfigDef.parseValue`.
            let mut seen = HashSet::new();
            items.retain(|item| seen.insert(item.clone()));
        }
        self.check(&value)?;
        Ok(value)
    }

    /// Kafka's `parseType`.
    fn parse_kind(&self, raw: &str) -> Result<Value, String> {
        let text = raw.trim();
        let not_a_number = || format!("Not a number of type {}", self.kind.name());
        match self.kind {
            Kind::Boolean if text.eq_ignore_ascii_case("true") => Ok(Value::Boolean(true)),
            Kind::Boolean if text.eq_ignore_ascii_case("false") => Ok(Value::Boolean(false)),
            Kind::Boolean => Err("Expected value to be either true or false".into()),
            Kind::Short => text.parse::<i16>().map(|n| Value::Whole(n.into())).map_err(|_| not_a_number()),
            Kind::Int => text.parse::<i32>().map(|n| Value::Whole(n.into())).map_err(|_| not_a_number()),
            Kind::Long => text.parse::<i64>().map(Value::Whole).map_err(|_| not_a_number()),
            Kind::Double => text.parse::<f64>().map(Value::Double).map_err(|_| not_a_number()),
            Kind::String | Kind::Class | Kind::Password => Ok(Value::Text(text.to_owned())),
            Kind::List if text.is_empty() => Ok(Value::List(Vec::new())),
            Kind::List => Ok(Value::List(text.split(',').map(|item| item.trim().to_owned()).collect())),
        }
    }

    /// Kafka's validators.
    fn check(&self, value: &Value) -> Result<(), String> {
        match (self.allowed, value) {
            (Allowed::AtLeast(minimum), Value::Whole(number)) => self.check_range(*number, minimum, i64::MAX),
            (Allowed::Between(from, to), Value::Whole(number)) => self.check_range(*number, from, to),
            (Allowed::Between(from, to), Value::Double(number)) => self.check_double(*number, from, to),
            (Allowed::NotZero, Value::Whole(0)) => Err(self.invalid("0", "Value must not be 0")),
            (Allowed::GzipLevel, Value::Whole(number)) if *number != -1 && !(1..=9).contains(number) => {
                Err(self.invalid(&number.to_string(), "Value must be between 1 and 9 or equal to -1"))
            }
            (Allowed::OneOf(words), Value::Text(word)) => self.check_word(word, words),
            (Allowed::EachOf(words), Value::List(items)) => {
                self.check_list(items)?;
                items.iter().try_for_each(|item| self.check_word(item, words))
            }
            (Allowed::SomeOf, Value::List(items)) if items.is_empty() => Err(format!(
                "Configuration '{}' must not be empty. Valid values include: any non-empty value",
                self.name
            )),
            (Allowed::SomeOf, Value::List(items)) => self.check_list(items),
            (Allowed::ThrottledReplicas, Value::List(items)) => self.check_replicas(items),
            _ => Ok(()),
        }
    }

    fn check_range(&self, number: i64, minimum: i64, maximum: i64) -> Result<(), String> {
        if number < minimum {
            return Err(self.invalid(&number.to_string(), &format!("Value must be at least {minimum}")));
        }
        if number > maximum {
            return Err(self.invalid(&number.to_string(), &format!("Value must be no more than {maximum}")));
        }
        Ok(())
    }

    fn check_double(&self, number: f64, minimum: i64, maximum: i64) -> Result<(), String> {
        // The bounds of the catalogue are small whole numbers, which a double holds exactly.
        if number < minimum as f64 {
            return Err(self.invalid(&Value::Double(number).to_string(), &format!("Value must be at least {minimum}")));
        }
        if number > maximum as f64 {
            return Err(
                self.invalid(&Value::Double(number).to_string(), &format!("Value must be no more than {maximum}"))
            );
        }
        Ok(())
    }

    fn check_word(&self, word: &str, words: &[&str]) -> Result<(), String> {
        if words.contains(&word) {
            return Ok(());
        }
        Err(self.invalid(word, &format!("String must be one of: {}", words.join(", "))))
    }

    fn check_list(&self, items: &[String]) -> Result<(), String> {
        if items.iter().any(String::is_empty) {
            return Err(format!("Configuration '{}' values must not be empty.", self.name));
        }
        Ok(())
    }

    fn check_replicas(&self, items: &[String]) -> Result<(), String> {
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        let is_pair = |item: &String| item.split_once(':').is_some_and(|(a, b)| digits(a) && digits(b));
        if items.iter().all(|item| item.is_empty() || is_pair(item)) || items.concat() == "*" {
            return Ok(());
        }
        let why = format!(
            "{} must be the literal '*' or a list of replicas in the following format: \
             [partitionId]:[brokerId],[partitionId]:[brokerId],...",
            self.name
        );
        // Kafka prints the value as Java prints a list.
        Err(self.invalid(&format!("[{}]", items.join(", ")), &why))
    }

    fn invalid(&self, value: &str, why: &str) -> String {
        format!("Invalid value {value} for configuration {}: {why}", self.name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_list_says_twice_counts_once() {
        let policy = crate::config::catalogue::topic_setting("cleanup.policy").expect("it has a row");
        assert_eq!(policy.normalized("delete, compact,delete"), "delete,compact");
    }

    #[test]
    fn values_print_as_java_prints_them() {
        let printed = [0.0, 0.5, 1e7, 1e-4, 1.5e-5, f64::MAX].map(|number| Value::Double(number).to_string());
        assert_eq!(printed, ["0.0", "0.5", "1.0E7", "1.0E-4", "1.5E-5", "1.7976931348623157E308"]);
        assert_eq!(Value::List(vec!["compact".into(), "delete".into()]).to_string(), "compact,delete");
        assert_eq!((Value::Boolean(true).to_string(), Value::Whole(-1).to_string()), ("true".into(), "-1".into()));
    }
}
