package main

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// groups are the conversations about consumer groups. franz-go's members balance cooperatively unless told otherwise.
func groups() []conversation {
	return []conversation{
		{"two members share a topic, one leaves, and a later one goes on where they stopped", shareTopic},
		{"a group described, its lag, its deletion", describeGroup},
	}
}

func (t *talk) member(topic string, options ...kgo.Opt) *kgo.Client {
	return t.client(append(options,
		kgo.ConsumerGroup(topic), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(300*time.Millisecond))...)
}

// pollShortly returns what is there now, and lets a member take part in a rebalance.
func pollShortly(t *talk, member *kgo.Client) []string {
	limited, cancel := context.WithTimeout(t, 50*time.Millisecond)
	defer cancel()
	var values []string
	member.PollFetches(limited).EachRecord(func(record *kgo.Record) { values = append(values, string(record.Value)) })
	return values
}

// parts says how many partitions each member of a group has.
func parts(t *talk, group string) map[string]int {
	described, ok := must(t.admin.DescribeGroups(t, group))[group]
	if ok && errors.Is(described.Err, kerr.GroupIDNotFound) {
		// A Kafka knows a new group a moment after its first member has joined.
		return nil
	}
	expect(ok && described.Err == nil, "the group is not described: %v", described.Err)
	found := map[string]int{}
	for _, member := range described.Members {
		if assigned, ok := member.Assigned.AsConsumer(); ok {
			for _, topic := range assigned.Topics {
				found[member.MemberID] += len(topic.Partitions)
			}
		}
	}
	return found
}

func shareTopic(t *talk) {
	t.withTopic("group", 3, nil, func(topic string) {
		one, two := t.member(topic), t.member(topic)
		defer one.Close()
		var read []string
		both := func(holds func() bool) {
			t.waitUntil(func() bool {
				read = append(append(read, pollShortly(t, one)...), pollShortly(t, two)...)
				return holds()
			})
		}
		both(func() bool {
			shared := parts(t, topic)
			total := 0
			for _, count := range shared {
				total += count
			}
			return len(shared) == 2 && total == 3
		})
		var sent []*kgo.Record
		var wanted []string
		for number := range 30 {
			wanted = append(wanted, fmt.Sprintf("%02d", number))
			sent = append(sent, &kgo.Record{Partition: int32(number % 3), Value: []byte(wanted[number])})
		}
		expect(t.produce(topic, sent) == nil, "the records were refused")
		both(func() bool { return len(read) >= 30 })
		sort.Strings(read)
		expectEqual("what both have read", read, wanted)
		expect(one.CommitUncommittedOffsets(t) == nil && two.CommitUncommittedOffsets(t) == nil, "a commit failed")
		two.Close()
		read = nil
		t.waitUntil(func() bool {
			read = append(read, pollShortly(t, one)...)
			shared := parts(t, topic)
			return len(shared) == 1
		})
		one.Close()
		expect(t.produce(topic, []*kgo.Record{{Partition: 0, Value: []byte("later")}}) == nil, "it was refused")
		late := t.member(topic)
		defer late.Close()
		t.waitUntil(func() bool {
			read = append(read, pollShortly(t, late)...)
			return len(read) > 0
		})
		expectEqual("what a later member reads", read, []string{"later"})
	})
}

func describeGroup(t *talk) {
	t.withTopic("group-described", 1, nil, func(topic string) {
		expect(t.produce(topic, []*kgo.Record{{Value: []byte("a")}, {Value: []byte("b")}}) == nil, "it was refused")
		offsets := kadm.Offsets{}
		offsets.Add(kadm.Offset{Topic: topic, Partition: 0, At: 1, LeaderEpoch: -1, Metadata: "half"})
		expect(must(t.admin.CommitOffsets(t, topic, offsets)).Error() == nil, "the commit failed")
		fetched, _ := must(t.admin.FetchOffsets(t, topic)).Lookup(topic, 0)
		expectEqual("what is committed", fmt.Sprint(fetched.At, fetched.Metadata), fmt.Sprint(int64(1), "half"))
		lag := must(t.admin.Lag(t, topic))[topic]
		expectEqual("the lag", lag.Lag.Total(), int64(1))
		expectEqual("the state", lag.State, "Empty")
		_, err := t.admin.DeleteGroup(t, topic)
		expectError("the deletion", err, nil)
		_, err = t.admin.DeleteGroup(t, topic)
		expectError("the second deletion", err, kerr.GroupIDNotFound)
	})
}
