//! JoinGroup: becomes a member, or stays one in the next generation. The answer comes when all members have joined, or
//! when the time for that is over.

use std::net::IpAddr;

use kafka_protocol::messages::join_group_request::JoinGroupRequest;
use kafka_protocol::messages::join_group_response::{JoinGroupResponse, JoinGroupResponseMember};
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

use super::{ask, code, group_id, identity, text};
use crate::coordinator::conversation::{Join, Joined, JoinedMember, Reply, Request};
use crate::coordinator::group::Protocol;
use crate::handlers::{Core, RequestContext};

/// Clients of this version come back with the member id that they are given (KIP-394).
const TAKES_MEMBER_ID_FROM: i16 = 4;
/// Before this version the protocol could not be null.
const NULL_PROTOCOL_FROM: i16 = 7;
/// A leader of this version can be told that there is nothing to assign (KIP-814).
const SKIPS_ASSIGNMENT_FROM: i16 = 9;

pub(super) async fn handle(
    core: &Core,
    context: &RequestContext,
    request: JoinGroupRequest,
    version: i16,
) -> JoinGroupResponse {
    let group = group_id(&request.group_id);
    let protocols = request.protocols.iter();
    let join = Join {
        group: group.clone(),
        who: identity(&request.member_id, request.group_instance_id.as_ref()),
        fresh_id: Uuid::new_v4(),
        client_id: context.client_id.to_string(),
        client_host: host(context.peer.ip()),
        session_timeout_ms: request.session_timeout_ms,
        // Before it was told, the session was all the time that there was.
        rebalance_timeout_ms: if version == 0 { request.session_timeout_ms } else { request.rebalance_timeout_ms },
        protocol_type: request.protocol_type.to_string(),
        // Bytes of their own: as slices they would keep the frame in memory for as long as the member lives.
        protocols: protocols
            .map(|one| Protocol { name: one.name.to_string(), metadata: bytes::Bytes::copy_from_slice(&one.metadata) })
            .collect(),
        takes_member_id: version >= TAKES_MEMBER_ID_FROM,
        may_skip_assignment: version >= SKIPS_ASSIGNMENT_FROM,
    };
    match ask(core, context, &group, Request::Join(join)).await {
        Ok(Reply::Joined(joined)) => tell(joined, version),
        Ok(_) => unreachable!("a JoinGroup is answered as one"),
        // As in Kafka, who finds nobody to talk to is not called by name.
        Err(error) => tell(Joined::refused("", error), version),
    }
}

/// An address as Java writes it (`InetAddress.toString`): of IPv6 every group, nothing left out.
fn host(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => format!("/{address}"),
        IpAddr::V6(address) => {
            let groups: Vec<String> = address.segments().iter().map(|group| format!("{group:x}")).collect();
            format!("/{}", groups.join(":"))
        }
    }
}

fn tell(joined: Joined, version: i16) -> JoinGroupResponse {
    let describe = |member: JoinedMember| {
        JoinGroupResponseMember::default()
            .with_member_id(text(member.id))
            .with_group_instance_id(member.instance.map(text))
            .with_metadata(member.metadata)
    };
    let protocol = joined.protocol.map(text);
    JoinGroupResponse::default()
        .with_error_code(code(joined.error))
        .with_generation_id(joined.generation)
        .with_protocol_type(joined.protocol_type.map(text))
        .with_protocol_name(protocol.or((version < NULL_PROTOCOL_FROM).then(StrBytes::default)))
        .with_leader(text(joined.leader))
        .with_skip_assignment(joined.skip_assignment)
        .with_member_id(text(joined.member_id))
        .with_members(joined.members.into_iter().map(describe).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_written_as_java_writes_them() {
        for (address, written) in [
            ("127.0.0.1", "/127.0.0.1"),
            ("::1", "/0:0:0:0:0:0:0:1"),
            ("fe80::a:0:1f", "/fe80:0:0:0:0:a:0:1f"),
            ("::ffff:10.0.0.7", "/10.0.0.7"),
        ] {
            assert_eq!(host(address.parse().expect("an address")), written);
        }
    }
}
