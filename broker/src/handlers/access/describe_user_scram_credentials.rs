//! DescribeUserScramCredentials: which users can log in with SCRAM. None can, because there are no passwords yet.

use std::collections::HashMap;

use kafka_protocol::ResponseError;
use kafka_protocol::messages::describe_user_scram_credentials_request::DescribeUserScramCredentialsRequest;
use kafka_protocol::messages::describe_user_scram_credentials_response::{
    DescribeUserScramCredentialsResponse, DescribeUserScramCredentialsResult,
};
use kafka_protocol::protocol::StrBytes;

/// Tells of each user that is named that there is no such user; of all users, nothing.
pub(super) fn handle(request: DescribeUserScramCredentialsRequest) -> DescribeUserScramCredentialsResponse {
    let mut places: HashMap<StrBytes, usize> = HashMap::new();
    let mut results: Vec<DescribeUserScramCredentialsResult> = Vec::new();
    for user in request.users.unwrap_or_default() {
        match places.get(&user.name) {
            Some(place) => {
                let text = "Cannot describe SCRAM credentials for the same user twice in a single request: ";
                results[*place] = refused(user.name, ResponseError::DuplicateResource, text);
            }
            None => {
                places.insert(user.name.clone(), results.len());
                let text = "Attempt to describe a user credential that does not exist: ";
                results.push(refused(user.name, ResponseError::ResourceNotFound, text));
            }
        }
    }
    DescribeUserScramCredentialsResponse::default().with_error_message(Some(StrBytes::default())).with_results(results)
}

fn refused(user: StrBytes, code: ResponseError, text: &str) -> DescribeUserScramCredentialsResult {
    let sentence = format!("{text}{}", user.as_str());
    DescribeUserScramCredentialsResult::default()
        .with_user(user)
        .with_error_code(code.code())
        .with_error_message(Some(StrBytes::from_string(sentence)))
}
