// Loading packages, type-checked, as far as users can import them.

package main

import (
	"fmt"
	"go/types"
	"os"
	"sort"
	"strings"

	"golang.org/x/tools/go/packages"
)

// loaded is what a program outside the loaded modules could import.
type loaded struct {
	pkgs     []*types.Package // by import path
	modules  []string         // paths of the modules the packages belong to
	problems []string         // load and type errors, one per line
}

// load type-checks the packages that the patterns match, seen from dir. It
// leaves out main packages, internal packages and tests. A package with
// errors is kept as far as it goes.
func load(dir, tags string, patterns []string) (*loaded, error) {
	if len(patterns) == 0 {
		return nil, fmt.Errorf("no package pattern given")
	}
	cfg := &packages.Config{
		Mode: packages.NeedName | packages.NeedFiles | packages.NeedImports | packages.NeedTypes |
			packages.NeedTypesSizes | packages.NeedModule,
		Dir: dir,
		Env: os.Environ(),
	}
	if tags != "" {
		cfg.BuildFlags = []string{"-tags=" + tags}
	}
	list, err := packages.Load(cfg, patterns...)
	if err != nil {
		return nil, err
	}
	l := &loaded{}
	mods := map[string]bool{}
	for _, p := range list {
		if p.Name == "main" || isInternal(p.PkgPath) {
			continue
		}
		for _, e := range p.Errors {
			l.problems = append(l.problems, p.PkgPath+": "+e.Error())
		}
		// A directory with nothing but tests is no package.
		if len(p.GoFiles) == 0 || p.Types == nil {
			continue
		}
		l.pkgs = append(l.pkgs, p.Types)
		if p.Module != nil {
			mods[p.Module.Path] = true
		}
	}
	sort.Slice(l.pkgs, func(i, j int) bool { return l.pkgs[i].Path() < l.pkgs[j].Path() })
	l.modules = sortedKeys(mods)
	if len(l.pkgs) == 0 {
		return nil, fmt.Errorf("no importable package matches %s\n  %s",
			strings.Join(patterns, " "), strings.Join(l.problems, "\n  "))
	}
	return l, nil
}

// isInternal reports whether Go's import rule hides the package from other
// modules.
func isInternal(path string) bool {
	for _, e := range strings.Split(path, "/") {
		if e == "internal" {
			return true
		}
	}
	return false
}
