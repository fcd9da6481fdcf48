//! What a real Kafka forbids by its access rules.

use anyhow::ensure;
use cutaway_tests::kafka::{RealKafka, kafka_tool};

use super::Ran;

#[test]
fn what_is_forbidden_is_said_with_who_can_change_it() -> anyhow::Result<()> {
    let rules = [
        ("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer"),
        ("allow.everyone.if.no.acl.found", "true"),
    ];
    let Some(kafka) = RealKafka::start(&rules)? else { return Ok(()) };
    let address = kafka.bootstrap().to_string();
    Ran::of(&["topics", "create", "secret", "-b", &address])?.printed()?;
    let denied = kafka_tool(
        "org.apache.kafka.tools.AclCommand",
        &[
            "--bootstrap-server",
            &address,
            "--add",
            "--deny-principal",
            "User:ANONYMOUS",
            "--topic",
            "secret",
            "--force",
        ],
    )?;
    ensure!(denied.status.success(), "{}", String::from_utf8_lossy(&denied.stderr));
    for command in [
        &["produce", "-t", "secret"][..],
        &["consume", "-t", "secret", "-e"],
        &["topics", "describe", "secret"],
        &["topics", "alter", "secret", "-c", "retention.ms=1"],
    ] {
        let told = Ran::of(&[command, &["-b", &address]].concat())?.failed(1)?;
        let sentence = "TOPIC_AUTHORIZATION_FAILED";
        ensure!(told.contains(sentence) && told.contains("can allow it (an ACL for this user)"), "{command:?}: {told}");
        ensure!(told.lines().count() == 1, "{command:?}: {told}");
    }
    Ok(())
}
