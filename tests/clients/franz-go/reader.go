package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
)

// readInGroup reads a topic as a member of a group until it is told to end. It prints a line for each record, its partition, its
// offset and its value, and commits only what it has printed.
func readInGroup(bootstrap, topic, group string) error {
	told, cancel := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer cancel()
	member, err := kgo.NewClient(
		kgo.SeedBrokers(bootstrap), kgo.ConsumerGroup(group), kgo.ConsumeTopics(topic), kgo.DisableAutoCommit(),
		kgo.Balancers(kgo.RangeBalancer()), kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.BlockRebalanceOnPoll(), kgo.SessionTimeout(6*time.Second), kgo.HeartbeatInterval(300*time.Millisecond))
	if err != nil {
		return err
	}
	defer member.CloseAllowingRebalance()
	out := bufio.NewWriter(os.Stdout)
	for {
		fetches := member.PollRecords(told, 1000)
		if errors.Is(fetches.Err0(), context.Canceled) {
			return nil
		}
		fetches.EachRecord(func(record *kgo.Record) {
			fmt.Fprintf(out, "%d %d %s\n", record.Partition, record.Offset, record.Value)
		})
		if err := out.Flush(); err != nil {
			return err
		}
		// A broker that is away for a moment gets it with the next ones.
		_ = member.CommitUncommittedOffsets(context.Background())
		member.AllowRebalance()
	}
}
