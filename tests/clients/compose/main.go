// Checks docker-compose.yml and the Dockerfile where no container engine runs.
//
// compose-go, the library with which docker compose itself reads its files, loads the file for each choice of profiles: it
// checks it against the compose specification's JSON schema and resolves what refers to what. Then the broker is started
// outside of a container, by the image's entrypoint and with the environment that the file gives it.
package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

const patience = 20 * time.Second

// A disagreement is a sentence for a person.
type disagreement string

func expect(holds bool, format string, values ...any) {
	if !holds {
		panic(disagreement(fmt.Sprintf(format, values...)))
	}
}

func must[T any](value T, err error) T {
	expect(err == nil, "%v", err)
	return value
}

var root string

func main() {
	if len(os.Args) < 3 || len(os.Args) > 4 {
		fmt.Fprintf(os.Stderr, "usage: %s ROOT HOST:PORT [WORD]\n", os.Args[0])
		os.Exit(2)
	}
	root = must(filepath.Abs(os.Args[1]))
	word := ""
	if len(os.Args) == 4 {
		word = os.Args[3]
	}
	all := []struct {
		name string
		hold func()
	}{
		{"the compose file follows the specification, with every choice of profiles", profiles},
		{"a compose file that does not follow it is refused", refusal},
		{"both brokers are the same to their clients", sameBroker},
		{"what the compose file and the Dockerfile name is there", namedFiles},
		{"without an environment the image listens where apache/kafka does", entrypointAlone},
		{"the broker starts with the compose file's environment, and both addresses work", brokerOfTheFile},
	}
	failed, held := false, false
	for _, one := range all {
		if strings.Contains(one.name, word) {
			held = true
			failed = !hold(one.name, one.hold) || failed
		}
	}
	if failed || !held {
		os.Exit(1)
	}
}

func hold(name string, conversation func()) (ok bool) {
	defer func() {
		if problem := recover(); problem != nil {
			fmt.Printf("FAILED compose: %s: %s\n", name, strings.Join(strings.Fields(fmt.Sprint(problem)), " "))
		}
	}()
	conversation()
	fmt.Printf("ok compose: %s\n", name)
	return true
}

// load reads the compose file as docker compose does; without profiles those of the .env file count.
func load(profiles ...string) (*types.Project, error) {
	options, err := cli.NewProjectOptions([]string{filepath.Join(root, "docker-compose.yml")},
		cli.WithWorkingDirectory(root), cli.WithEnvFiles(), cli.WithDotEnv, cli.WithDefaultProfiles(profiles...))
	if err != nil {
		return nil, err
	}
	return options.LoadProject(context.Background())
}

func profiles() {
	demos := []string{"bluesky-consumer", "bluesky-producer", "events", "redis", "wikipedia-consumer", "wikipedia-producer"}
	for _, choice := range []struct{ profiles, added []string }{
		{nil, []string{"kafka"}},
		{[]string{"cutaway"}, []string{"kafka"}},
		{[]string{"kafka"}, []string{"apache-kafka"}},
		{[]string{"cutaway", "ui"}, []string{"kafka", "ui"}},
		{[]string{"kafka", "ui"}, []string{"apache-kafka", "ui"}},
	} {
		project := must(load(choice.profiles...))
		services := project.ServiceNames()
		slices.Sort(services)
		expected := append(slices.Clone(demos), choice.added...)
		slices.Sort(expected)
		expect(slices.Equal(services, expected), "profiles %v start %v instead of %v", choice.profiles, services, expected)
		brokers := []string{}
		for name, service := range project.Services {
			if knownAsKafka(name, service) {
				brokers = append(brokers, name)
			}
		}
		expect(len(brokers) == 1, "profiles %v: %v are all known as kafka", choice.profiles, brokers)
		expectEachPortOnce(project)
	}
}

func knownAsKafka(name string, service types.ServiceConfig) bool {
	network := service.Networks["default"]
	return name == "kafka" || network != nil && slices.Contains(network.Aliases, "kafka")
}

// Nothing is published to other machines, and no port twice.
func expectEachPortOnce(project *types.Project) {
	taken := map[string]string{}
	for name, service := range project.Services {
		for _, port := range service.Ports {
			expect(port.HostIP == "127.0.0.1", "%s publishes port %s to other machines", name, port.Published)
			expect(taken[port.Published] == "", "%s and %s both publish port %s", name, taken[port.Published], port.Published)
			taken[port.Published] = name
		}
	}
	expect(taken["9092"] != "" && taken["6379"] == "redis", "the published ports are %v", taken)
}

// The check must be able to fail: the schema knows no service with such a field.
func refusal() {
	original := root
	defer func() { root = original }()
	text := must(os.ReadFile(filepath.Join(root, "docker-compose.yml")))
	root = must(os.MkdirTemp("", "cutaway-compose-"))
	defer os.RemoveAll(root)
	broken := bytes.Replace(text, []byte("    ports:\n"), []byte("    prots:\n"), 1)
	expect(!bytes.Equal(broken, text), "there is nothing to break")
	expect(os.WriteFile(filepath.Join(root, "docker-compose.yml"), broken, 0o600) == nil, "cannot write")
	_, err := load("cutaway")
	expect(err != nil && strings.Contains(err.Error(), "prots"), "a field that does not exist was accepted: %v", err)
}

func sameBroker() {
	cutaway, kafka := must(load("cutaway")).Services["kafka"], must(load("kafka")).Services["apache-kafka"]
	expect(reflect.DeepEqual(cutaway.Environment, kafka.Environment), "the brokers' environments differ")
	expect(reflect.DeepEqual(cutaway.Ports, kafka.Ports), "the brokers' ports differ")
	expect(cutaway.HealthCheck != nil && kafka.HealthCheck != nil, "a broker has no health check")
}

// namedFiles looks for the stages, the files that are copied and the programs that are started.
func namedFiles() {
	dockerfile := string(must(os.ReadFile(filepath.Join(root, "Dockerfile"))))
	stages := names(dockerfile, `(?m)^FROM \S+ AS (\S+)$`)
	for name, service := range must(load()).Services {
		if service.Build != nil {
			expect(slices.Contains(stages, service.Build.Target), "%s wants the stage %q", name, service.Build.Target)
		}
		for _, word := range service.Command {
			if program, isDemo := strings.CutPrefix(word, "/demos/"); isDemo {
				expectFile("clients/python/" + program)
			}
		}
	}
	expect(stages[len(stages)-1] == "broker", "the last stage, which is built by default, is %s", stages[len(stages)-1])
	for _, pattern := range names(dockerfile, `(?m)^COPY ([a-z]\S+) `) {
		expectFile(pattern)
	}
	entrypoint := must(os.Stat(filepath.Join(root, "broker/container-entrypoint")))
	expect(entrypoint.Mode()&0o111 == 0o111, "the entrypoint cannot be executed")
}

func names(text, pattern string) []string {
	found := []string{}
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(text, -1) {
		found = append(found, match[1])
	}
	return found
}

func expectFile(pattern string) {
	expect(len(must(filepath.Glob(filepath.Join(root, pattern)))) > 0, "there is no %s", pattern)
}

// entrypointAlone puts a program that prints its environment in the broker's place.
func entrypointAlone() {
	folder := must(os.MkdirTemp("", "cutaway-compose-"))
	defer os.RemoveAll(folder)
	stand := "#!/bin/sh\necho \"$@\"\nenv\n"
	expect(os.WriteFile(filepath.Join(folder, "cutaway"), []byte(stand), 0o700) == nil, "cannot write")
	run := func(variables ...string) string {
		command := exec.Command(filepath.Join(root, "broker/container-entrypoint"), "topics", "list")
		command.Env = append([]string{"PATH=" + folder + ":/usr/bin:/bin"}, variables...)
		return "\n" + string(must(command.Output()))
	}
	printed := run()
	for _, line := range []string{
		"topics list",
		"KAFKA_LISTENERS=PLAINTEXT://0.0.0.0:9092",
		"KAFKA_ADVERTISED_LISTENERS=PLAINTEXT://localhost:9092",
		"KAFKA_LOG_DIRS=/var/lib/kafka/data",
		"CUTAWAY_ALLOW_INSECURE_LISTENERS=true",
	} {
		expect(strings.Contains(printed, "\n"+line+"\n"), "the entrypoint does not set %s", line)
	}
	given := run("KAFKA_ADVERTISED_LISTENERS=A://here:1", "KAFKA_LOG_DIRS=/there")
	expect(!strings.Contains(given, "KAFKA_LISTENERS="), "the entrypoint sets listeners although some are given")
	expect(strings.Contains(given, "\nKAFKA_LOG_DIRS=/there\n"), "the entrypoint overrides what is given")
}

// brokerOfTheFile starts the broker as its container would, but for the ports, which others may use here, and for the name
// kafka, which is no name here.
func brokerOfTheFile() {
	environment := must(load("cutaway")).Services["kafka"].Environment
	folder := must(os.MkdirTemp("", "cutaway-compose-"))
	defer os.RemoveAll(folder)
	ports := freePorts(3)
	replace := strings.NewReplacer("kafka:19092", "127.0.0.1:"+ports[0], ":19092", ":"+ports[0], ":9092", ":"+ports[1],
		":9093", ":"+ports[2], "/var/lib/kafka/data", filepath.Join(folder, "data"))
	binary := cutaway()
	variables := []string{"PATH=" + filepath.Dir(binary) + ":/usr/bin:/bin", "HOME=" + folder}
	for name, value := range environment {
		variables = append(variables, name+"="+replace.Replace(*value))
	}
	var said bytes.Buffer
	broker := exec.Command(filepath.Join(root, "broker/container-entrypoint"))
	broker.Env, broker.Dir, broker.Stdout, broker.Stderr = variables, folder, &said, &said
	expect(broker.Start() == nil, "the entrypoint cannot be started")
	ended := make(chan error, 1)
	go func() { ended <- broker.Wait() }()
	defer broker.Process.Kill()
	for _, port := range ports[:2] {
		ask(binary, ended, &said, "topics", "create", "from-"+port, "-b", "localhost:"+port)
	}
	// The health check, too, with its port.
	health := must(load("cutaway")).Services["kafka"].HealthCheck.Test[2:]
	for index := range health {
		health[index] = replace.Replace(health[index])
	}
	listed := ask(binary, ended, &said, health...)
	for _, port := range ports[:2] {
		expect(strings.Contains(listed, "from-"+port), "the topic made through port %s is not there: %s", port, listed)
	}
	expectAdvertised(binary, filepath.Join(folder, "data"), ports)
	expect(broker.Process.Signal(syscall.SIGTERM) == nil, "the broker cannot be stopped")
	select {
	case <-ended:
	case <-time.After(patience):
		expect(false, "the broker does not stop on SIGTERM, as docker stop asks")
	}
	expect(!strings.Contains(said.String(), "error:"), "the broker said %s", said.String())
}

// expectAdvertised checks that clients inside and outside are each sent to the address that they can reach.
func expectAdvertised(binary, data string, ports []string) {
	status := string(must(exec.Command(binary, "status", "--json", "--data", data).Output()))
	expect(json.Valid([]byte(status)), "the status is no JSON: %s", status)
	for _, address := range []string{"PLAINTEXT://127.0.0.1:" + ports[0], "PLAINTEXT_HOST://localhost:" + ports[1]} {
		expect(strings.Contains(status, `"advertised":"`+address+`"`), "%s is not advertised: %s", address, status)
	}
	for _, address := range []string{"PLAINTEXT://0.0.0.0:" + ports[0], "PLAINTEXT_HOST://0.0.0.0:" + ports[1]} {
		expect(strings.Contains(status, `"address":"`+address+`"`), "nobody listens on %s: %s", address, status)
	}
}

// ask runs a command of the client until it works.
func ask(binary string, ended chan error, said *bytes.Buffer, arguments ...string) string {
	for deadline := time.Now().Add(patience); ; time.Sleep(100 * time.Millisecond) {
		output, err := exec.Command(binary, arguments...).Output()
		if err == nil {
			return string(output)
		}
		select {
		case <-ended:
			expect(false, "the broker ended: %s", said.String())
		default:
		}
		var failure *exec.ExitError
		expect(errors.As(err, &failure), "%v", err)
		expect(time.Now().Before(deadline), "%v: %s", arguments, failure.Stderr)
	}
}

func cutaway() string {
	if named := os.Getenv("CUTAWAY"); named != "" {
		return named
	}
	target := os.Getenv("CARGO_TARGET_DIR")
	if target == "" {
		target = filepath.Join(root, "target")
	}
	return filepath.Join(target, "release/cutaway")
}

func freePorts(count int) []string {
	ports := []string{}
	for range count {
		listener := must(net.Listen("tcp", "127.0.0.1:0"))
		defer listener.Close()
		ports = append(ports, fmt.Sprint(listener.Addr().(*net.TCPAddr).Port))
	}
	return ports
}
