//! Wishes that are refused, and in which words: a real broker answered these texts.

use super::*;

fn assigned(assignments: &[(i32, &[i32])]) -> NewTopic {
    let assignments = assignments.iter().map(|(partition, nodes)| (*partition, nodes.to_vec())).collect();
    NewTopic { partitions: -1, replication_factor: -1, assignments, ..wanted("n", -1) }
}

fn configured(key: &str, value: Option<&str>) -> NewTopic {
    NewTopic { configs: vec![(key.into(), value.map(Into::into))], ..wanted("n", 1) }
}

/// A broker that has the topic `a.b_c` refuses each wish with its text, asked in earnest or not.
async fn refuse(wishes: &[(NewTopic, &str)]) {
    let bench = Bench::new();
    let topics = bench.topics();
    create(&topics, "a.b_c", 1).await;
    for (wish, text) in wishes {
        for validate_only in [true, false] {
            let outcome = topics.create(&Principal::anonymous(), wish.clone(), validate_only).await;
            assert_eq!(outcome.expect_err("refused").to_string(), *text);
        }
    }
    assert_eq!(topics.list().len(), 1);
}

#[tokio::test]
async fn names_and_settings() {
    let invalid = "Topic name is invalid: 'bad/name' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'";
    refuse(&[
        (wanted("bad/name", 1), invalid),
        (wanted("a.b_c", 1), "Topic 'a.b_c' already exists."),
        (wanted("a_b.c", 1), "Topic 'a_b.c' collides with existing topic: a.b_c"),
        (configured("foo.bar", Some("1")), "Unknown topic config name: foo.bar"),
        (configured("retention.ms", None), "Null value not supported for topic configs: retention.ms"),
    ])
    .await;
}

#[tokio::test]
async fn numbers() {
    let replicas = |replication_factor| NewTopic { replication_factor, ..wanted("n", 1) };
    let unreachable = "Unable to replicate the partition 3 time(s): The target replication factor of 3 cannot be reached because only 1 broker(s) are registered or some brokers have all their log directories cordoned. Ask for 1 or -1, or start the broker with --nodes 3, which simulates as many.";
    refuse(&[
        (wanted("n", 0), "Number of partitions was set to an invalid non-positive value."),
        (wanted("n", -2), "Number of partitions was set to an invalid non-positive value."),
        (replicas(0), "Replication factor must be larger than 0, or -1 to use the default value."),
        (replicas(-2), "Replication factor must be larger than 0, or -1 to use the default value."),
        (replicas(3), unreachable),
        (
            wanted("n", 1_000_000),
            "Number of partitions was set to 1000000, but this broker has room for 9999 more of at most 10000; delete topics that are not needed any more.",
        ),
    ])
    .await;
}

#[tokio::test]
async fn assignments() {
    let both = "A manual partition assignment was specified, but";
    let unknown = "The manual partition assignment includes broker 9, but no such broker is registered.";
    let one = assigned(&[(0, &[1])]);
    refuse(&[
        (NewTopic { replication_factor: 1, ..one.clone() }, &format!("{both} replication factor was not set to -1.")),
        (NewTopic { partitions: 1, ..one }, &format!("{both} numPartitions was not set to -1.")),
        (assigned(&[(0, &[9])]), unknown),
        (assigned(&[(0, &[1, 9])]), unknown),
        (assigned(&[(0, &[1, 1])]), "The manual partition assignment includes the broker 1 more than once."),
        (assigned(&[(0, &[])]), "The manual partition assignment includes an empty replica list."),
        (assigned(&[(0, &[1]), (0, &[1])]), "Found multiple manual partition assignments for partition 0"),
        (assigned(&[(0, &[1]), (2, &[1])]), "partitions should be a consecutive 0-based integer sequence"),
    ])
    .await;
}

#[tokio::test]
async fn good_assignments_and_defaults_are_granted() {
    let bench = Bench::new().with("num.partitions", "2");
    let topics = bench.topics();
    for (name, wish) in [("a", assigned(&[(1, &[1]), (0, &[1])])), ("b", assigned(&[]))] {
        let wish = NewTopic { name: name.into(), ..wish };
        let topic = topics.create(&Principal::anonymous(), wish, false).await.expect("created");
        assert_eq!(topic.partitions.len(), 2);
    }
}
