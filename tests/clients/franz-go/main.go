// Conversations held by franz-go, the client written in Go, and kadm, its admin client. Start them with `run`.
//
// This file holds them, one after the other, and says how each went; what they say is in the others.
package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// A conversation that lasts longer has failed. Most end within a second, but a loaded machine is slow.
const timeLimit = 90 * time.Second

// A conversation has a name, which is stable: it is what people look for when one fails.
type conversation struct {
	name string
	hold func(*talk)
}

// A talk is what a conversation has to speak with: the broker's address, an admin client and a deadline.
type talk struct {
	context.Context
	bootstrap string
	prefix    string
	admin     *kadm.Client
}

// A disagreement is a sentence for a person: the broker, or the client, did not do what it should.
type disagreement string

// expect ends the conversation with this sentence unless the condition holds.
func expect(holds bool, format string, values ...any) {
	if !holds {
		panic(disagreement(fmt.Sprintf(format, values...)))
	}
}

func expectEqual(what string, got, wanted any) {
	expect(reflect.DeepEqual(got, wanted), "%s: expected %v, got %v", what, wanted, got)
}

// expectError ends the conversation unless this is the error, as franz-go names it in its package kerr.
func expectError(what string, got, wanted error) {
	expect(errors.Is(got, wanted), "%s: expected the error %v, got %v", what, wanted, got)
}

// must ends the conversation if there is an error, and otherwise returns the value.
func must[T any](value T, err error) T {
	expect(err == nil, "%v", err)
	return value
}

// waitUntil asks until it holds: the brokers of a Kafka learn of a change a little after it was answered.
func (t *talk) waitUntil(holds func() bool) {
	for !holds() {
		expect(t.Err() == nil, "what was changed is not seen after %v", timeLimit)
	}
}

// client makes a client of this talk's broker. The caller closes it.
func (t *talk) client(options ...kgo.Opt) *kgo.Client {
	return must(kgo.NewClient(append(options, kgo.SeedBrokers(t.bootstrap))...))
}

// topic returns a name that no other run uses, so that a run can be repeated on the same broker.
func (t *talk) topic(purpose string) string {
	return fmt.Sprintf("%s-franz-go-%s", t.prefix, purpose)
}

// withTopic makes a topic that is gone after the conversation, however it ends.
func (t *talk) withTopic(purpose string, partitions int32, settings map[string]*string, use func(topic string)) {
	topic := t.topic(purpose)
	must(t.admin.CreateTopic(t, partitions, 1, settings, topic))
	t.waitUntil(func() bool { return listed(t).Has(topic) })
	defer t.admin.DeleteTopic(context.WithoutCancel(t), topic)
	use(topic)
}

func main() {
	// What other conversations than these start: `conversations read HOST:PORT TOPIC GROUP`.
	if len(os.Args) == 5 && os.Args[1] == "read" {
		if err := readInGroup(os.Args[2], os.Args[3], os.Args[4]); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if len(os.Args) < 2 || len(os.Args) > 3 {
		fmt.Fprintln(os.Stderr, "usage: run HOST:PORT [WORD]\nheld are the conversations whose name contains WORD")
		os.Exit(1)
	}
	word := strings.Join(os.Args[2:], "")
	prefix := os.Getenv("CUTAWAY_TOPIC_PREFIX")
	if prefix == "" {
		random := make([]byte, 4)
		rand.Read(random)
		prefix = "run-" + hex.EncodeToString(random)
	}
	held, failed := 0, 0
	for _, each := range append(append(records(), groups()...), administration()...) {
		if !strings.Contains(each.name, word) {
			continue
		}
		held++
		if sentence := holdOne(each, os.Args[1], prefix); sentence != "" {
			failed++
			fmt.Printf("FAILED franz-go: %s: %s\n", each.name, strings.Join(strings.Fields(sentence), " "))
		} else {
			fmt.Printf("ok franz-go: %s\n", each.name)
		}
	}
	if held == 0 || failed > 0 {
		os.Exit(1)
	}
}

// holdOne holds one conversation and returns what went wrong, or nothing. All requests end with the time limit.
func holdOne(each conversation, bootstrap, prefix string) (sentence string) {
	limited, cancel := context.WithTimeout(context.Background(), timeLimit)
	defer cancel()
	admin, err := kadm.NewOptClient(kgo.SeedBrokers(bootstrap))
	if err != nil {
		return err.Error()
	}
	defer admin.Close()
	defer func() {
		if problem := recover(); problem != nil {
			sentence = fmt.Sprint(problem)
		}
	}()
	each.hold(&talk{Context: limited, bootstrap: bootstrap, prefix: prefix, admin: admin})
	return ""
}
