// Regenerates every checked-in file that protoc makes, in this module and in examples: go run ./internal/testkit/stubs/gen
// It is not part of a build: it needs protoc, which it installs by apt-get where it is missing, and the Go module proxy.

// Command gen runs protoc with every generator whose output is checked in, each built from its released module.
package main

import (
	"bytes"
	_ "embed"
	"flag"
	"fmt"
	"go/format"
	"io/fs"
	"log"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"
)

const modulePath = "google.golang.org/grpc"

// plugin is one release of a protoc plugin.
type plugin struct {
	pkg, version string
	options      string // handed to the plugin
}

// name is what protoc calls the plugin: go, go-grpc.
func (p plugin) name() string { return strings.TrimPrefix(filepath.Base(p.pkg), "protoc-gen-") }

func firstGeneration(version string) plugin {
	return plugin{"github.com/golang/protobuf/protoc-gen-go", version, "plugins=grpc"}
}

func services(version string) plugin {
	return plugin{modulePath + "/cmd/protoc-gen-go-grpc", version, ""}
}

func messages() plugin { return plugin{"google.golang.org/protobuf/cmd/protoc-gen-go", "v1.36.12", ""} }

// job is one .proto file, named relative to dir, and the plugins that read it.
type job struct {
	dir, proto string
	plugins    []plugin
}

// echoes are the generators that programs still carry stubs of, by the folder that their stubs of echo.proto.tmpl are in.
func echoes() map[string][]plugin {
	return map[string][]plugin{
		"golang100": {firstGeneration("v1.0.0")}, // the same stubs as in November 2016
		"golang135": {firstGeneration("v1.3.5")},
		"grpc101":   {messages(), services("v1.0.1")},
		"grpc130":   {messages(), services("v1.3.0")},
		"grpc151":   {messages(), services("v1.5.1")},
		"grpc162":   {messages(), services("v1.6.2")},
	}
}

// protos are the .proto files beside whose place in the tree their Go files go, made by today's generators.
func protos() []string {
	return []string{
		"examples/helloworld/helloworld/helloworld.proto",
		"examples/quickstart/words/words.proto",
		"examples/route_guide/routeguide/route_guide.proto",
	}
}

//go:embed echo.proto.tmpl
var echoTemplate string

func main() {
	log.SetFlags(0)
	log.SetPrefix("gen: ")
	out := flag.String("out", "", "root of the tree that the files are written to (default: of this module)")
	flag.Parse()
	if err := run(*out); err != nil {
		log.Fatal(err)
	}
}

func run(out string) error {
	root, err := output(exec.Command("go", "list", "-m", "-f", "{{.Dir}}", modulePath))
	if err != nil {
		return err
	}
	root = strings.TrimSpace(root)
	if out == "" {
		out = root
	}
	if err := needProtoc(); err != nil {
		return err
	}
	temp, err := os.MkdirTemp("", "gen")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)

	jobs, err := echoJobs(filepath.Join(temp, "proto"))
	if err != nil {
		return err
	}
	for _, proto := range protos() {
		jobs = append(jobs, job{root, proto, []plugin{messages(), services("v1.6.2")}})
	}
	for _, j := range jobs {
		if err := j.run(filepath.Join(temp, "bin"), filepath.Join(temp, "go")); err != nil {
			return fmt.Errorf("%s: %w", j.proto, err)
		}
	}
	return tidy(filepath.Join(temp, "go", modulePath), out)
}

// echoJobs writes a .proto file for each generator of echoes into dir.
func echoJobs(dir string) ([]job, error) {
	tmpl, err := template.New("echo").Parse(echoTemplate)
	if err != nil {
		return nil, err
	}
	var jobs []job
	for name, plugins := range echoes() {
		var text bytes.Buffer
		if err := tmpl.Execute(&text, name); err != nil {
			return nil, err
		}
		j := job{dir, "grpc/testkit/" + name + ".proto", plugins}
		if err := write(filepath.Join(dir, j.proto), text.Bytes()); err != nil {
			return nil, err
		}
		jobs = append(jobs, j)
	}
	return jobs, nil
}

// run installs the plugins under bin and lets protoc write into out, one folder per element of the Go import path.
func (j job) run(bin, out string) error {
	if err := os.MkdirAll(out, 0o777); err != nil {
		return err
	}
	args := []string{"-I", j.dir}
	for _, p := range j.plugins {
		path, err := p.install(bin)
		if err != nil {
			return err
		}
		args = append(args,
			fmt.Sprintf("--plugin=protoc-gen-%s=%s", p.name(), path),
			fmt.Sprintf("--%s_out=%s:%s", p.name(), p.options, out))
	}
	_, err := output(exec.Command("protoc", append(args, j.proto)...))
	return err
}

// install builds the plugin, unless that is done, in a folder of its own, since all releases have one name.
func (p plugin) install(bin string) (string, error) {
	dir := filepath.Join(bin, p.version, p.name())
	path := filepath.Join(dir, filepath.Base(p.pkg))
	if _, err := os.Stat(path); err == nil {
		return path, nil
	}
	cmd := exec.Command("go", "install", p.pkg+"@"+p.version)
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=")
	_, err := output(cmd)
	return path, err
}

// protocVersion is a line that depends on which protoc is installed, and is left out.
var protocVersion = regexp.MustCompile(`(?m)^// (- |\t)protoc +v.*\n`)

// tidy moves the Go files in from to the same place in to, formatted by today's rules and without the version of protoc.
func tidy(from, to string) error {
	return filepath.WalkDir(from, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		text, err = format.Source(protocVersion.ReplaceAll(text, nil))
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		rel, err := filepath.Rel(from, path)
		if err != nil {
			return err
		}
		return write(filepath.Join(to, rel), text)
	})
}

func needProtoc() error {
	if _, err := exec.LookPath("protoc"); err == nil {
		return nil
	}
	for _, args := range [][]string{{"update"}, {"install", "-y", "protobuf-compiler"}} {
		if _, err := output(exec.Command("apt-get", args...)); err != nil {
			return fmt.Errorf("protoc is not installed, and cannot be: %w", err)
		}
	}
	return nil
}

func write(path string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o666)
}

// output runs cmd and returns what it prints; what it says on standard error becomes part of the error.
func output(cmd *exec.Cmd) (string, error) {
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	text, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, &stderr)
	}
	return string(text), nil
}
