// The command line: what the modes dump and missing are given, and which exit status they end with.

// Command apicheck writes down the exported API of the packages of a Go
// module as plain text, one feature per line, and checks a module against
// such a list. See README.md.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
)

const usageText = `usage:
  apicheck dump    -dir DIR [-skip REGEXP] [-tags LIST] PATTERN...
  apicheck missing -dir DIR -want FILE... [-allow FILE...] [-absent FILE] [-pkg REGEXP] [-summary] [-tags LIST] [PATTERN...]
`

func main() { os.Exit(run(os.Args[1:], os.Stdout, os.Stderr)) }

// run is main without the process around it. It returns the exit status:
// 0 for success, 1 when something wanted is missing, 2 for trouble.
func run(args []string, out, errw io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(errw, usageText)
		return 2
	}
	var err error
	status := 0
	switch args[0] {
	case "dump":
		err = cmdDump(args[1:], out, errw)
	case "missing":
		status, err = cmdMissing(args[1:], out, errw)
	default:
		err = fmt.Errorf("unknown mode %q\n%s", args[0], usageText)
	}
	if err != nil {
		fmt.Fprintln(errw, "apicheck:", err)
		return 2
	}
	return status
}

func newFlags(name string, errw io.Writer) *flag.FlagSet {
	fs := flag.NewFlagSet(name, flag.ContinueOnError)
	fs.SetOutput(errw)
	return fs
}

func cmdDump(args []string, out, errw io.Writer) error {
	fs := newFlags("dump", errw)
	dir := fs.String("dir", ".", "directory of the module (or of a module that requires it)")
	skip := fs.String("skip", "", "leave out packages whose import path matches this regexp")
	tags := fs.String("tags", "", "build tags")
	if err := fs.Parse(args); err != nil {
		return err
	}
	skipRE, err := optRegexp(*skip)
	if err != nil {
		return err
	}
	l, err := load(*dir, *tags, fs.Args())
	if err != nil {
		return err
	}
	if len(l.problems) > 0 {
		return fmt.Errorf("packages do not load cleanly:\n  %s", strings.Join(l.problems, "\n  "))
	}
	d := newDumper(l, false)
	for _, p := range l.pkgs {
		if skipRE != nil && skipRE.MatchString(p.Path()) {
			continue
		}
		d.pkg(p)
	}
	for _, l := range d.lines() {
		fmt.Fprintln(out, l)
	}
	for _, w := range d.warnings() {
		fmt.Fprintln(errw, "apicheck: note:", w)
	}
	return nil
}

func cmdMissing(args []string, out, errw io.Writer) (int, error) {
	fs := newFlags("missing", errw)
	dir := fs.String("dir", ".", "directory of the module to check")
	var want, allow []string
	fs.Func("want", "file with the wanted features (may be repeated)", add(&want))
	fs.Func("allow", "file with features that may be missing, each with a reason (may be repeated)", add(&allow))
	absentFile := fs.String("absent", "", "file with the packages that the module does not have at all")
	only := fs.String("pkg", "", "check only packages whose import path matches this regexp")
	summary := fs.Bool("summary", false, "print only the counts")
	tags := fs.String("tags", "", "build tags")
	if err := fs.Parse(args); err != nil {
		return 2, err
	}
	if len(want) == 0 {
		return 2, fmt.Errorf("missing: -want is required")
	}
	onlyRE, err := optRegexp(*only)
	if err != nil {
		return 2, err
	}
	wanted, err := readWanted(want)
	if err != nil {
		return 2, err
	}
	allowed, err := readAllow(allow...)
	if err != nil {
		return 2, err
	}
	absent, err := readPackages(*absentFile)
	if err != nil {
		return 2, err
	}
	patterns := fs.Args()
	if len(patterns) == 0 {
		patterns = []string{"./..."}
	}
	l, err := load(*dir, *tags, patterns)
	if err != nil {
		return 2, err
	}
	d := newDumper(l, true)
	for _, p := range l.pkgs {
		d.pkg(p)
	}
	if onlyRE != nil {
		wanted = filterPkgs(wanted, onlyRE)
	}
	wanted, left := withoutPackages(wanted, absent)
	r := compare(wanted, d.lines(), d.aliasMap(), allowed)
	r.print(out, *summary)
	if left > 0 {
		fmt.Fprintf(out, "%d features are of packages that the module does not have\n", left)
	}
	come := 0
	for _, p := range l.pkgs {
		if absent[p.Path()] {
			come++
			fmt.Fprintf(out, "listed in %s, but the module has it: %s\n", *absentFile, p.Path())
		}
	}
	for _, p := range l.problems {
		fmt.Fprintln(errw, "apicheck: note: does not load cleanly:", p)
	}
	if r.missing > 0 || come > 0 {
		return 1, nil
	}
	return 0, nil
}

func add(list *[]string) func(string) error {
	return func(s string) error {
		*list = append(*list, s)
		return nil
	}
}

func optRegexp(s string) (*regexp.Regexp, error) {
	if s == "" {
		return nil, nil
	}
	return regexp.Compile(s)
}
