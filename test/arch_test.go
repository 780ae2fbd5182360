// The floors of the library: which package may import which, and what a program links. The table is data; a new package needs a place in
// it. What every source file must look like is in arch_source_test.go.

package test

import (
	"bytes"
	"encoding/json"
	"os/exec"
	"path"
	"slices"
	"strings"
	"sync"
	"testing"
)

// module is the path of the root package. Other packages are named by what follows it.
const module = "google.golang.org/grpc"

// A floor is a set of packages that may import the same.
type floor struct {
	name     string
	packages string // "x/..." stands for x and all below it that no longer name stands for
	below    string // the floors that its packages may import, "*" for all that are listed before it
	never    string // packages that its packages must not import, whatever floor these are on
	among    order  // what its packages may import of each other
	modules  string // where imports from other modules may come from, "*" for anywhere
}

type order int

const (
	ordered   order = iota // only those that stand before in the list
	unordered              // any
)

// The floors from the ground up.
var floors = []floor{
	{
		name:     "leaves",
		packages: "internal/callkey internal/callctx internal/bufpool internal/defaultscheme internal/embedding test/bufconn",
	},
	{
		name: "vocabulary", below: "leaves",
		packages: "codes connectivity keepalive backoff internal/backoff attributes serviceconfig grpclog mem metadata naming channelz",
	},
	{
		name: "contracts", below: "*", modules: "google.golang.org/protobuf google.golang.org/genproto/googleapis/rpc",
		packages: "status encoding encoding/proto encoding/gzip credentials credentials/insecure credentials/local credentials/oauth peer " +
			"stats tap experimental/stats resolver experimental/balancer/weight balancer",
	},
	{
		name: "wire", below: "leaves vocabulary", modules: "golang.org/x/net",
		packages: "transport/internal/frame",
	},
	{
		name: "machinery", below: "leaves vocabulary contracts",
		packages: "internal/serial internal/serviceconfig internal/gracefulswitch internal/channelz internal/binarylog internal/healthcheck " +
			"internal/option internal/unixresolver internal/v1balancer",
	},
	{
		name: "policies", below: "leaves vocabulary contracts",
		packages: "resolver/dns resolver/passthrough resolver/manual balancer/base balancer/endpointsharding balancer/lazy balancer/pickfirst " +
			"balancer/roundrobin balancer/leastrequest balancer/weightedtarget balancer/ringhash balancer/randomsubsetting",
	},
	{
		name: "transport", below: "leaves vocabulary contracts wire", never: "resolver balancer encoding encoding/proto encoding/gzip channelz",
		modules:  "golang.org/x/net google.golang.org/protobuf google.golang.org/genproto/googleapis/rpc",
		packages: "transport",
	},
	{
		name: "grpc", below: "*", modules: "golang.org/x/net google.golang.org/protobuf google.golang.org/genproto/googleapis/rpc",
		packages: "grpc",
	},
	{
		name: "services and extras", below: "*", among: unordered, modules: "*",
		packages: "grpclog/glogger health/... reflection/... channelz/... admin/... grpclb/... balancer/grpclb/... balancer/rls/... " +
			"balancer/weightedroundrobin/... credentials/... experimental/... orca/... stats/opentelemetry/... authz/... binarylog/... " +
			"xds/... cmd/... profiling/...",
	},
	{
		name: "programs", below: "*", among: unordered, modules: "*",
		packages: "examples/... interop/... benchmark/... test/...",
	},
}

// moreModules are modules that single packages may import beyond those of their floor.
var moreModules = map[string]string{
	"credentials/oauth": "golang.org/x/oauth2",
	"balancer/ringhash": "github.com/cespare/xxhash/v2",
}

// linked are the modules that a program may link which imports nothing but the root package.
var linked = []string{module, "google.golang.org/protobuf", "google.golang.org/genproto/googleapis/rpc", "golang.org/x/net"}

// forTests are packages, and all below them, that only tests import. They may import whatever they need.
var forTests = []string{"internal/testkit", "balancer/internal/fakechannel"}

func TestArchImportsPointDown(t *testing.T) {
	for _, p := range listed(t) {
		if p.DepOnly || inAny(p.name(), forTests) {
			continue
		}
		at, _ := placeOf(p.name())
		if at < 0 {
			t.Errorf("package %s is on no floor: give it a place in the table of arch_test.go", p.name())
			continue
		}
		for _, path := range p.Imports {
			if fault := importFault(p.name(), path); fault != "" {
				t.Errorf("%s imports %s: %s", p.name(), path, fault)
			}
		}
	}
}

func TestArchProgramsUseThePublicAPI(t *testing.T) {
	for _, p := range listed(t) {
		if at, _ := placeOf(p.name()); p.DepOnly || at != len(floors)-1 {
			continue
		}
		for _, path := range slices.Concat(p.Imports, p.TestImports, p.XTestImports) {
			name, ours := ourName(path)
			if ours && isInternal(name) && !inAny(name, forTests) && !strings.HasPrefix(name, p.name()+"/") {
				t.Errorf("%s imports %s, which programs outside of this module cannot import", p.name(), path)
			}
		}
	}
}

func TestArchRootLinksFewModules(t *testing.T) {
	packages := listed(t)
	for _, dep := range packages[module].Deps {
		if m := packages[dep].module(); m != "" && !slices.Contains(linked, m) {
			t.Errorf("a program that imports only %s links %s of the module %s, want no modules but %v", module, dep, m, linked)
		}
	}
}

func TestArchOldProtobufIsLinkedByTestsAlone(t *testing.T) {
	packages := listed(t)
	for _, p := range packages {
		if p.DepOnly || inAny(p.name(), forTests) {
			continue
		}
		for _, dep := range p.Deps {
			if packages[dep].module() == "github.com/golang/protobuf" {
				t.Errorf("%s links %s, which is for tests only", p.name(), dep)
			}
		}
	}
}

// importFault returns why a package must not import path, "" if it may.
func importFault(from, path string) string {
	at, place := placeOf(from)
	f := floors[at]
	name, ours := ourName(path)
	switch {
	case !ours && isStandard(path):
		return ""
	case !ours && f.modules != "*" && !inAny(path, strings.Fields(f.modules+" "+moreModules[from])):
		return "the floor " + f.name + " may import other modules from [" + f.modules + "] only"
	case !ours:
		return ""
	case inAny(name, forTests):
		return "it is for tests only"
	case slices.Contains(strings.Fields(f.never), name):
		return "the floor " + f.name + " must never"
	}
	to, toPlace := placeOf(name)
	switch {
	case to == at && (f.among == unordered || toPlace < place):
		return ""
	case to == at:
		return "on the floor " + f.name + ", packages import only those listed before them"
	case to > at:
		return "the floor " + floors[to].name + " lies above " + f.name
	case f.below != "*" && !slices.Contains(strings.Fields(f.below), floors[to].name):
		return "the floor " + f.name + " may import [" + f.below + "] only, not " + floors[to].name
	}
	return ""
}

// placeOf returns the floor of a package and its place there, -1 if it is on none. The longest pattern counts.
func placeOf(name string) (at, place int) {
	at, longest := -1, -1
	for i, f := range floors {
		for j, pattern := range strings.Fields(f.packages) {
			prefix, open := strings.CutSuffix(pattern, "/...")
			switch {
			case name == pattern:
				return i, j
			case open && inAny(name, []string{prefix}) && len(prefix) > longest:
				at, place, longest = i, j, len(prefix)
			}
		}
	}
	return at, place
}

// ourName returns the name of a package of this module.
func ourName(path string) (name string, ours bool) {
	if path == module {
		return "grpc", true
	}
	return strings.CutPrefix(path, module+"/")
}

// inAny reports whether path is one of the prefixes or below one.
func inAny(path string, prefixes []string) bool {
	return slices.ContainsFunc(prefixes, func(p string) bool { return path == p || strings.HasPrefix(path, p+"/") })
}

func isInternal(name string) bool { return slices.Contains(strings.Split(name, "/"), "internal") }

func isStandard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

// A listedPackage is what go list says of a package.
type listedPackage struct {
	ImportPath, Dir, Export            string
	DepOnly                            bool // it belongs to another module, or to the standard library
	Module                             *struct{ Path string }
	GoFiles, Deps                      []string
	Imports, TestImports, XTestImports []string
}

func (p *listedPackage) name() string {
	name, _ := ourName(p.ImportPath)
	return name
}

// module returns the module of the package, "" for the standard library.
func (p *listedPackage) module() string {
	if p == nil || p.Module == nil {
		return ""
	}
	return p.Module.Path
}

// list holds the result of go list, which is run once.
var list struct {
	once     sync.Once
	packages map[string]*listedPackage
	err      error
}

// listed returns the packages of this module and all that they import, by import path.
func listed(t *testing.T) map[string]*listedPackage {
	t.Helper()
	list.once.Do(func() { list.packages, list.err = runGoList() })
	if list.err != nil {
		t.Fatal(list.err)
	}
	return list.packages
}

func runGoList() (map[string]*listedPackage, error) {
	cmd := exec.Command("go", "list", "-export", "-deps",
		"-json=ImportPath,Dir,Export,DepOnly,Module,GoFiles,Deps,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = ".."
	cmd.Stderr = new(bytes.Buffer)
	out, err := cmd.Output()
	if err != nil {
		return nil, &listError{err, cmd.Stderr.(*bytes.Buffer).String()}
	}
	packages := make(map[string]*listedPackage)
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		p := new(listedPackage)
		if err := d.Decode(p); err != nil {
			return nil, err
		}
		packages[p.ImportPath] = p
	}
	return packages, nil
}

// A listError is a failure of go list with what it said.
type listError struct {
	err  error
	said string
}

func (e *listError) Error() string { return "go list: " + e.err.Error() + "\n" + e.said }

func TestArchTableTellsRightFromWrong(t *testing.T) {
	for _, tt := range []struct {
		from, to string
		ok       bool
	}{
		{"codes", "strings", true},
		{"codes", module + "/status", false},
		{"codes", "google.golang.org/protobuf/proto", false},
		{"internal/callkey", module + "/codes", false},
		{"metadata", module + "/internal/callkey", true},
		{"balancer", module + "/resolver", true},
		{"resolver", module + "/balancer", false},
		{"transport", module + "/resolver", false},
		{"transport", module + "/channelz", false},
		{"transport", module + "/transport/internal/frame", true},
		{"transport", module + "/internal/serial", false},
		{"balancer/pickfirst", module + "/transport", false},
		{"balancer/pickfirst", module, false},
		{"balancer/roundrobin", module + "/balancer/pickfirst", true},
		{"balancer/pickfirst", module + "/balancer/roundrobin", false},
		{"credentials/oauth", "golang.org/x/oauth2/jwt", true},
		{"credentials", "golang.org/x/oauth2/jwt", false},
		{"grpc", module + "/balancer/internal/fakechannel", false},
		{"grpc", "github.com/golang/protobuf/proto", false},
		{"health", module, true},
		{"grpc", module + "/health", false},
	} {
		if fault := importFault(tt.from, tt.to); (fault == "") != tt.ok {
			t.Errorf("%s importing %s: got fault %q, want ok = %v", tt.from, path.Base(tt.to), fault, tt.ok)
		}
	}
}
