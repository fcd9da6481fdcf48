package main

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// administration are the conversations of an administrator: the cluster, topics, their settings, offsets and files.
func administration() []conversation {
	return []conversation{
		{"the cluster describes itself", describeCluster},
		{"create, describe and delete a topic", topicLife},
		{"topic creations that are refused, each with its error", refusedCreations},
		{"settings of a topic: read, changed one by one, replaced", topicSettings},
		{"changes of settings that are refused, each with its error", refusedSettings},
		{"settings of a broker", brokerSettings},
		{"more partitions for a topic, and what is refused", morePartitions},
		{"list offsets, and describe log folders and producers", offsetsAndFiles},
	}
}

// setOn returns those settings of a topic that were made on the topic itself.
func setOn(t *talk, topic string) map[string]string {
	found := must(must(t.admin.DescribeTopicConfigs(t, topic)).On(topic, nil))
	expectEqual("error of "+topic, found.Err, nil)
	own := map[string]string{}
	for _, config := range found.Configs {
		if config.Source == kmsg.ConfigSourceDynamicTopicConfig {
			own[config.Key] = config.MaybeValue()
		}
	}
	return own
}

func set(name, value string) kadm.AlterConfig {
	return kadm.AlterConfig{Op: kadm.SetConfig, Name: name, Value: &value}
}

// alter changes some settings of a topic, leaves the others as they are, and returns the broker's error.
func alter(t *talk, topic string, changes ...kadm.AlterConfig) error {
	return must(must(t.admin.AlterTopicConfigs(t, changes, topic)).On(topic, nil)).Err
}

// listed returns all topics, asked for by a new client: one client believes what it heard of a topic for five seconds.
func listed(t *talk) kadm.TopicDetails {
	client := t.client()
	defer client.Close()
	return must(kadm.NewClient(client).ListTopics(t))
}

func describeCluster(t *talk) {
	cluster := must(t.admin.BrokerMetadata(t))
	expect(cluster.Cluster != "", "the cluster has no id")
	addresses := map[int32]string{}
	for _, broker := range cluster.Brokers {
		addresses[broker.NodeID] = fmt.Sprintf("%s:%d", broker.Host, broker.Port)
	}
	known := slices.Contains(slices.Collect(maps.Values(addresses)), t.bootstrap)
	expect(known, "%s is none of the nodes %v", t.bootstrap, addresses)
	expect(addresses[cluster.Controller] != "", "controller %d is none of the nodes %v", cluster.Controller, addresses)
	versions := must(t.admin.ApiVersions(t))
	expectEqual("nodes that tell their versions", len(versions), len(addresses))
}

func topicLife(t *talk) {
	topic := t.topic("admin")
	t.withTopic("admin", 3, nil, func(string) {
		found := listed(t)[topic]
		expectEqual("error", found.Err, nil)
		expect(found.ID != kadm.TopicID{}, "the topic has no id")
		expectEqual("partitions", found.Partitions.Numbers(), []int32{0, 1, 2})
		for _, partition := range found.Partitions {
			expectEqual("replicas", partition.Replicas, []int32{partition.Leader})
			expectEqual("in-sync replicas", partition.ISR, []int32{partition.Leader})
		}
	})
	t.waitUntil(func() bool { return !listed(t).Has(topic) })
	_, err := t.admin.DeleteTopic(t, topic)
	expectError("deleting it again", err, kerr.UnknownTopicOrPartition)
}

func refusedCreations(t *talk) {
	t.withTopic("refused", 1, nil, func(topic string) {
		other := topic + "-other"
		unknown := map[string]*string{"no.such.config": kadm.StringPtr("1")}
		for _, attempt := range []struct {
			what       string
			topic      string
			partitions int32
			replicas   int16
			settings   map[string]*string
			wanted     error
		}{
			{"a topic that exists", topic, 1, 1, nil, kerr.TopicAlreadyExists},
			{"replication factor 3 on one node", other, 1, 3, nil, kerr.InvalidReplicationFactor},
			{"no partitions", other, 0, 1, nil, kerr.InvalidPartitions},
			{"an invalid name", "no spaces allowed", 1, 1, nil, kerr.InvalidTopicException},
			{"an unknown setting", other, 1, 1, unknown, kerr.InvalidConfig},
		} {
			_, err := t.admin.CreateTopic(t, attempt.partitions, attempt.replicas, attempt.settings, attempt.topic)
			expectError(attempt.what, err, attempt.wanted)
		}
		expectEqual("trying", must(t.admin.ValidateCreateTopics(t, 1, 1, nil, other)).Error(), nil)
		expect(!listed(t).Has(other), "%s exists though it was refused or only tried", other)
	})
}

func topicSettings(t *talk) {
	created := map[string]*string{"retention.ms": kadm.StringPtr("3600000")}
	t.withTopic("configured", 1, created, func(topic string) {
		expectEqual("as created", setOn(t, topic), map[string]string{"retention.ms": "3600000"})
		expectEqual("three changes", alter(t, topic,
			set("max.message.bytes", "2000"),
			kadm.AlterConfig{Op: kadm.AppendConfig, Name: "cleanup.policy", Value: kadm.StringPtr("compact")},
			kadm.AlterConfig{Op: kadm.DeleteConfig, Name: "retention.ms"},
		), nil)
		changed := map[string]string{"max.message.bytes": "2000", "cleanup.policy": "delete,compact"}
		expectEqual("after three changes", setOn(t, topic), changed)
		err := t.produce(topic, []*kgo.Record{{Key: []byte("key"), Value: []byte(strings.Repeat(".", 3000))}},
			kgo.ProducerBatchCompression(kgo.NoCompression()))
		expectError("a record of 3000 bytes", err, kerr.MessageTooLarge)
		subtract := kadm.AlterConfig{Op: kadm.SubtractConfig, Name: "cleanup.policy", Value: kadm.StringPtr("delete")}
		expectEqual("one word less", alter(t, topic, subtract), nil)
		changed["cleanup.policy"] = "compact"
		expectEqual("after one word less", setOn(t, topic), changed)
		whole := []kadm.AlterConfig{set("retention.bytes", "1000000")}
		answer := must(must(t.admin.AlterTopicConfigsState(t, whole, topic)).On(topic, nil))
		expectEqual("replacing all", answer.Err, nil)
		expectEqual("after all were replaced", setOn(t, topic), map[string]string{"retention.bytes": "1000000"})
	})
}

func refusedSettings(t *talk) {
	created := map[string]*string{"retention.ms": kadm.StringPtr("3600000")}
	t.withTopic("settled", 1, created, func(topic string) {
		expectError("an unknown setting", alter(t, topic, set("no.such.config", "1")), kerr.InvalidConfig)
		expectError("a value that is no number", alter(t, topic, set("retention.ms", "soon")), kerr.InvalidConfig)
		twice := []kadm.AlterConfig{set("segment.ms", "60000"), set("segment.bytes", "many")}
		expectError("one good, one bad", alter(t, topic, twice...), kerr.InvalidConfig)
		other := topic + "-other"
		expectError("changing those of no topic", alter(t, other, twice[0]), kerr.UnknownTopicOrPartition)
		unknown := must(must(t.admin.DescribeTopicConfigs(t, other)).On(other, nil))
		expectError("describing those of no topic", unknown.Err, kerr.UnknownTopicOrPartition)
		tried := must(t.admin.ValidateAlterTopicConfigs(t, twice[:1], topic))
		expectEqual("trying", must(tried.On(topic, nil)).Err, nil)
		expectEqual("what was refused or only tried changed", setOn(t, topic), map[string]string{"retention.ms": "3600000"})
	})
}

func brokerSettings(t *talk) {
	node := must(t.admin.BrokerMetadata(t)).Controller
	name := fmt.Sprint(node)
	found := must(must(t.admin.DescribeBrokerConfigs(t, node)).On(name, nil))
	values := map[string]string{}
	for _, config := range found.Configs {
		values[config.Key] = config.MaybeValue()
	}
	expectEqual("node.id", values["node.id"], name)
	refused := must(t.admin.AlterBrokerConfigs(t, []kadm.AlterConfig{set("node.id", "7")}, node))
	expectError("changing what is fixed at the start", must(refused.On(name, nil)).Err, kerr.InvalidRequest)
	same := []kadm.AlterConfig{set("message.max.bytes", values["message.max.bytes"])}
	tried := must(t.admin.ValidateAlterBrokerConfigs(t, same, node))
	expectEqual("trying", must(tried.On(name, nil)).Err, nil)
}

func morePartitions(t *talk) {
	t.withTopic("extended", 1, nil, func(topic string) {
		update := func(name string, count int) error {
			return must(must(t.admin.UpdatePartitions(t, count, name)).On(name, nil)).Err
		}
		expectEqual("three in all", update(topic, 3), nil)
		t.waitUntil(func() bool { return len(listed(t)[topic].Partitions) == 3 })
		expectEqual("errors", t.produce(topic, []*kgo.Record{{Partition: 2, Value: []byte("to the last")}}), nil)
		expectEqual("records", values(t.read(topic, 2, 1)), "to the last")
		expectEqual("five in all", update(topic, 5), nil)
		expectEqual("trying", must(t.admin.ValidateUpdatePartitions(t, 9, topic)).Error(), nil)
		expectError("as many as there are", update(topic, 5), kerr.InvalidPartitions)
		expectError("fewer than there are", update(topic, 2), kerr.InvalidPartitions)
		expectError("a topic that does not exist", update(topic+"-other", 2), kerr.UnknownTopicOrPartition)
		t.waitUntil(func() bool { return len(listed(t)[topic].Partitions) >= 5 })
		expectEqual("partitions in the end", len(listed(t)[topic].Partitions), 5)
	})
}

func offsetsAndFiles(t *talk) {
	t.withTopic("offsets", 2, map[string]*string{"retention.ms": kadm.StringPtr("-1")}, func(topic string) {
		var sent []*kgo.Record
		// Out of order on purpose: the answer is the first offset whose timestamp is at or after the wanted one.
		for _, timeMs := range []int64{1000, 3000, 2000} {
			sent = append(sent, &kgo.Record{Value: make([]byte, 1000), Timestamp: time.UnixMilli(timeMs)})
		}
		expectEqual("errors", t.produce(topic, sent, kgo.ProducerBatchCompression(kgo.NoCompression())), nil)
		expectOffsets := func(what string, offsets kadm.ListedOffsets, first, second int64) {
			for partition, wanted := range []int64{first, second} {
				found, _ := offsets.Lookup(topic, int32(partition))
				expectEqual("error of "+what, found.Err, nil)
				expectEqual(fmt.Sprintf("%s of partition %d", what, partition), found.Offset, wanted)
			}
		}
		expectOffsets("the first", must(t.admin.ListStartOffsets(t, topic)), 0, 0)
		expectOffsets("the end", must(t.admin.ListEndOffsets(t, topic)), 3, 0)
		expectOffsets("the latest in time", must(t.admin.ListMaxTimestampOffsets(t, topic)), 1, -1)
		// Where no record is as late as that, kadm asks again for the end.
		expectOffsets("the first at 1500", must(t.admin.ListOffsetsAfterMilli(t, 1500, topic)), 1, 0)

		both := kadm.TopicsSet{}
		both.Add(topic, 0, 1)
		sizes := map[int32]int64{}
		must(t.admin.DescribeAllLogDirs(t, both)).Each(func(folder kadm.DescribedLogDir) {
			expectEqual("error of the folder", folder.Err, nil)
			folder.Topics.Each(func(found kadm.DescribedLogDirPartition) { sizes[found.Partition] = found.Size })
		})
		expect(sizes[0] > 3000 && sizes[0] < 3500 && sizes[1] == 0, "the sizes are %v", sizes)
		producers := must(t.admin.DescribeProducers(t, both))[topic].Partitions[0].ActiveProducers
		expectEqual("producers of the records", len(producers), 1)
	})
}
