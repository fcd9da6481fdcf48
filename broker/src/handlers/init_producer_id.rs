//! InitProducerId: the identity that lets a broker tell a retry from a new batch.

use kafka_protocol::ResponseError;
use kafka_protocol::messages::ProducerId;
use kafka_protocol::messages::init_producer_id_request::InitProducerIdRequest;
use kafka_protocol::messages::init_producer_id_response::InitProducerIdResponse;

use super::Core;
use super::errors::storage_code;

/// "None" for both halves of an identity.
const NONE: i64 = -1;

/// A producer without a transactional id gets a new id each time, whatever it brings along, as in Kafka.
///
/// One with a transactional id is refused with TRANSACTIONAL_ID_AUTHORIZATION_FAILED (53): transactions are not
/// implemented, and this is the code on which every producer gives up at once instead of trying again.
pub(super) async fn handle(core: &Core, request: &InitProducerIdRequest) -> InitProducerIdResponse {
    let (id, epoch) = (request.producer_id.0, i64::from(request.producer_epoch));
    if (id == NONE) != (epoch == NONE) {
        return refused(ResponseError::InvalidRequest);
    }
    match &request.transactional_id {
        None => new_identity(core).await,
        Some(id) if id.is_empty() => refused(ResponseError::InvalidRequest),
        Some(_) if !(1..=core.config().transaction_max_timeout_ms).contains(&request.transaction_timeout_ms) => {
            refused(ResponseError::InvalidTransactionTimeout)
        }
        Some(_) => refused(ResponseError::TransactionalIdAuthorizationFailed),
    }
}

async fn new_identity(core: &Core) -> InitProducerIdResponse {
    match core.topics.new_producer_id().await {
        Ok(id) => InitProducerIdResponse::default().with_producer_id(ProducerId(id)).with_producer_epoch(0),
        Err(failure) => refused(storage_code(&failure)),
    }
}

fn refused(code: ResponseError) -> InitProducerIdResponse {
    InitProducerIdResponse::default()
        .with_error_code(code.code())
        .with_producer_id(ProducerId(NONE))
        .with_producer_epoch(-1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handlers::tests::{core_in_folder, wire};

    #[tokio::test]
    async fn the_longest_transaction_is_what_the_settings_say() {
        let (core, _folder) = core_in_folder(|config| config.transaction_max_timeout_ms = 5000);
        for (timeout_ms, code) in [
            (0, ResponseError::InvalidTransactionTimeout),
            (5000, ResponseError::TransactionalIdAuthorizationFailed),
            (5001, ResponseError::InvalidTransactionTimeout),
        ] {
            let request = InitProducerIdRequest::default()
                .with_transactional_id(Some(wire("some").0.into()))
                .with_transaction_timeout_ms(timeout_ms)
                .with_producer_id(ProducerId(NONE))
                .with_producer_epoch(-1);
            assert_eq!(handle(&core, &request).await.error_code, code.code(), "{timeout_ms} ms");
        }
    }
}
