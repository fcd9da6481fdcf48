//! Who may do what, who can log in, and how much clients may use: nothing of it is set up, on either side.

use cutaway_tests::talk::Talk;
use kafka_protocol::messages::create_acls_request::AclCreation;
use kafka_protocol::messages::delete_acls_request::DeleteAclsFilter;
use kafka_protocol::messages::describe_client_quotas_request::ComponentData;
use kafka_protocol::messages::describe_user_scram_credentials_request::UserName;
use kafka_protocol::messages::{
    CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest, DescribeClientQuotasRequest,
    DescribeUserScramCredentialsRequest,
};

use super::text;

pub(crate) fn hold(talk: &mut Talk) -> anyhow::Result<()> {
    rules(talk)?;
    quotas(talk)?;
    users(talk)
}

/// Kinds of resource, pattern, operation and permission; 0 is none of them, and no one knows 99.
const KINDS: [(&str, [i8; 4]); 6] = [
    ("ordinary", [2, 3, 3, 3]),
    ("no resource", [0, 3, 3, 3]),
    ("no pattern", [2, 0, 3, 3]),
    ("no operation", [2, 3, 0, 3]),
    ("no permission", [2, 3, 3, 0]),
    ("unheard of", [99, 99, 99, 99]),
];

fn rules(talk: &mut Talk) -> anyhow::Result<()> {
    for version in 1..=3 {
        for (name, [resource, pattern, operation, permission]) in KINDS {
            let describe = DescribeAclsRequest::default()
                .with_resource_type_filter(resource)
                .with_pattern_type_filter(pattern)
                .with_operation(operation)
                .with_permission_type(permission);
            talk.ask(&format!("rules, {name}"), version, &describe)?;
            let rule = AclCreation::default()
                .with_resource_type(resource)
                .with_resource_pattern_type(pattern)
                .with_operation(operation)
                .with_permission_type(permission)
                .with_resource_name(text("t"))
                .with_principal(text("User:a"))
                .with_host(text("*"));
            let ordinary = rule.clone().with_resource_type(2).with_resource_pattern_type(3);
            let ordinary = ordinary.with_operation(3).with_permission_type(3);
            let create = CreateAclsRequest::default().with_creations(vec![ordinary, rule]);
            talk.ask(&format!("a new rule, {name}"), version, &create)?;
            let filter = DeleteAclsFilter::default()
                .with_resource_type_filter(resource)
                .with_pattern_type_filter(pattern)
                .with_operation(operation)
                .with_permission_type(permission);
            let delete = DeleteAclsRequest::default().with_filters(vec![filter.clone(), filter]);
            talk.ask(&format!("a rule less, {name}"), version, &delete)?;
        }
        talk.ask("no new rules", version, &CreateAclsRequest::default())?;
        talk.ask("no rules less", version, &DeleteAclsRequest::default())?;
    }
    Ok(())
}

fn quotas(talk: &mut Talk) -> anyhow::Result<()> {
    let of = |kind: &str, how: i8, name: Option<&str>| {
        ComponentData::default().with_entity_type(text(kind)).with_match_type(how).with_match(name.map(text))
    };
    let cases = [
        ("all quotas", vec![]),
        ("those of a user", vec![of("user", 0, Some("a"))]),
        ("those of the default client", vec![of("client-id", 1, None)]),
        ("those of any address", vec![of("ip", 2, None)]),
        ("those of a user and a client", vec![of("user", 2, None), of("client-id", 0, Some("c"))]),
        ("those of a user and an address", vec![of("user", 2, None), of("ip", 2, None)]),
        ("those of a user twice", vec![of("user", 2, None), of("user", 0, Some("a"))]),
        ("those of nothing", vec![of("", 2, None)]),
        ("those of something unheard of", vec![of("planet", 2, None)]),
        ("those of something unheard of, twice", vec![of("planet", 2, None), of("planet", 2, None)]),
        ("those of a user without a name", vec![of("user", 0, None)]),
        ("those of the default user with a name", vec![of("user", 1, Some("a"))]),
        ("those of any user with a name", vec![of("user", 2, Some("a"))]),
        ("a way to match that is none", vec![of("user", 3, None)]),
    ];
    for version in 0..=1 {
        for (name, components) in &cases {
            for strict in [false, true] {
                let request = DescribeClientQuotasRequest::default().with_components(components.clone());
                talk.ask(&format!("{name}, strict {strict}"), version, &request.with_strict(strict))?;
            }
        }
    }
    Ok(())
}

fn users(talk: &mut Talk) -> anyhow::Result<()> {
    for (name, users) in [
        ("all users", None),
        ("no users", Some(vec![])),
        ("a user", Some(vec!["a"])),
        ("a user without a name", Some(vec![""])),
        ("a user twice and another", Some(vec!["a", "b", "a", "a"])),
    ] {
        let users =
            users.map(|names| names.into_iter().map(|name| UserName::default().with_name(text(name))).collect());
        talk.ask_in_any_order(name, 0, &DescribeUserScramCredentialsRequest::default().with_users(users))?;
    }
    Ok(())
}
