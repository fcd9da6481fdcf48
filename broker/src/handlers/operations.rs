//! What anyone may do when no authorizer stands in the way, as Kafka's `AclEntry.supportedOperations` has it: one bit per
//! operation code, from READ (3) to DESCRIBE_TOKENS (14).

/// What may be done to a topic.
pub(super) const TOPIC_OPERATIONS: i32 = 3576;

/// What may be done to a group.
pub(super) const GROUP_OPERATIONS: i32 = 3400;

/// What may be done to the cluster.
pub(super) const CLUSTER_OPERATIONS: i32 = 8096;

/// Nobody asked: the number with only the highest bit.
pub(super) const NOT_ASKED: i32 = i32::MIN;
