// Comparing what is wanted with what is there: reading the lists, finding each line or what stands in its place, printing.

package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"regexp"
	"sort"
	"strings"
)

// readFeatures reads a feature file: one feature per line; blank lines and
// lines that start with # are skipped.
func readFeatures(file string) ([]string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var out []string
	sc := bufio.NewScanner(f)
	sc.Buffer(nil, 1<<20)
	for n := 1; sc.Scan(); n++ {
		l := strings.TrimSpace(sc.Text())
		if l == "" || l[0] == '#' {
			continue
		}
		if !strings.HasPrefix(l, "pkg ") || !strings.Contains(l, ", ") {
			return nil, fmt.Errorf("%s:%d: not a feature line: %s", file, n, l)
		}
		out = append(out, l)
	}
	return out, sc.Err()
}

// readWanted reads feature files into one list without repetitions.
func readWanted(files []string) ([]string, error) {
	set := map[string]bool{}
	for _, f := range files {
		lines, err := readFeatures(f)
		if err != nil {
			return nil, err
		}
		for _, l := range lines {
			set[l] = true
		}
	}
	return sortedKeys(set), nil
}

// readPackages reads a file with an import path on each line, and comments
// that start with #. Without a file it returns nothing.
func readPackages(file string) (map[string]bool, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	out := map[string]bool{}
	for l := range strings.Lines(string(text)) {
		if l = strings.TrimSpace(l); l != "" && l[0] != '#' {
			out[l] = true
		}
	}
	return out, nil
}

// withoutPackages splits off the lines of the packages, and counts them.
func withoutPackages(lines []string, pkgs map[string]bool) (rest []string, left int) {
	for _, l := range lines {
		if pkgs[pkgOf(l)] {
			left++
		} else {
			rest = append(rest, l)
		}
	}
	return rest, left
}

// readAllow reads allow files: a feature line, blanks, "# ", a reason.
func readAllow(files ...string) (map[string]string, error) {
	out := map[string]string{}
	for _, file := range files {
		lines, err := readFeatures(file)
		if err != nil {
			return nil, err
		}
		for _, l := range lines {
			i := strings.LastIndex(l, " # ")
			if i < 0 || strings.TrimSpace(l[i+3:]) == "" {
				return nil, fmt.Errorf("%s: no reason given for: %s", file, l)
			}
			feature := strings.TrimSpace(l[:i])
			if _, ok := out[feature]; ok {
				return nil, fmt.Errorf("%s: listed twice: %s", file, feature)
			}
			out[feature] = strings.TrimSpace(l[i+3:])
		}
	}
	return out, nil
}

func pkgOf(line string) string {
	s := strings.TrimPrefix(line, "pkg ")
	return s[:strings.Index(s, ",")]
}

func rest(line string) string {
	return line[strings.Index(line, ", ")+2:]
}

func filterPkgs(lines []string, re *regexp.Regexp) []string {
	var out []string
	for _, l := range lines {
		if re.MatchString(pkgOf(l)) {
			out = append(out, l)
		}
	}
	return out
}

var (
	methodRE = regexp.MustCompile(`^method \((\*?)(\w+)\) (\w+)(.*)$`)
	fieldRE  = regexp.MustCompile(`^type (\w+) struct, (embedded )?(\S+)(.*)$`)
	imethRE  = regexp.MustCompile(`^type (\w+) interface, (\w+)(.*)$`)
	ifaceRE  = regexp.MustCompile(`^type (\w+)(\[.*\])? interface \{(.*)\}$`)
	declRE   = regexp.MustCompile(`^(func|var|const|type|package) (\w+)(.*)$`)
	aliasRE  = regexp.MustCompile(`^type (\w+) = (.*)$`)
)

// key names the thing a feature line is about, without its type, so that two
// versions of one thing have one key.
func key(line string) string {
	p, r := pkgOf(line), rest(line)
	if m := methodRE.FindStringSubmatch(r); m != nil {
		return p + " " + m[2] + "." + m[3] + "()"
	}
	if m := fieldRE.FindStringSubmatch(r); m != nil {
		if m[2] != "" {
			n := strings.TrimLeft(m[3], "*")
			if i := strings.LastIndex(n, "."); i >= 0 {
				n = n[i+1:]
			}
			return p + " " + m[1] + "." + n
		}
		return p + " " + m[1] + "." + m[3]
	}
	if m := imethRE.FindStringSubmatch(r); m != nil {
		return p + " " + m[1] + "." + m[2] + "()"
	}
	if m := declRE.FindStringSubmatch(r); m != nil {
		if m[1] == "package" {
			return p
		}
		// One namespace: a func that became a var is the same name.
		return p + " " + m[2]
	}
	return line
}

// ifaceHead splits the head line of an interface.
func ifaceHead(line string) (methods map[string]bool, sealed, ok bool) {
	m := ifaceRE.FindStringSubmatch(rest(line))
	if m == nil {
		return nil, false, false
	}
	methods = map[string]bool{}
	for _, s := range strings.Split(m[3], ",") {
		s = strings.TrimSpace(s)
		if s == unexportedMethods {
			sealed = true
		} else if s != "" {
			methods[s] = true
		}
	}
	return methods, sealed, true
}

var tokenRE = regexp.MustCompile(`[A-Za-z0-9_][\w./~-]*\.[A-Za-z_]\w*`)

// canon rewrites every type name in a feature that the aliases know.
func canon(line string, aliases map[string]string) string {
	i := strings.Index(line, ", ")
	if i < 0 {
		return line
	}
	return line[:i] + tokenRE.ReplaceAllStringFunc(line[i:], func(s string) string {
		if t, ok := aliases[s]; ok {
			return t
		}
		return s
	})
}

type gap struct {
	line string
	why  string
}

type pkgResult struct {
	path       string
	want, have int
	allowed    int
	gaps       []gap
}

type result struct {
	pkgs    []*pkgResult
	want    int
	have    int
	allowed int
	missing int
	stale   []string // allowed lines that are there, or that nobody wants
}

// compare looks for every wanted line among the lines of have.
func compare(want, have []string, aliases, allow map[string]string) *result {
	haveSet := map[string]bool{}
	byKey := map[string][]string{}
	for _, l := range have {
		haveSet[canon(l, aliases)] = true
		k := key(l)
		byKey[k] = append(byKey[k], l)
	}
	res := &result{}
	byPkg := map[string]*pkgResult{}
	usedAllow := map[string]bool{}
	for _, l := range want {
		p := pkgOf(l)
		pr := byPkg[p]
		if pr == nil {
			pr = &pkgResult{path: p}
			byPkg[p] = pr
			res.pkgs = append(res.pkgs, pr)
		}
		pr.want++
		res.want++
		ok, why := satisfied(l, haveSet, byKey, aliases)
		switch {
		case ok:
			pr.have++
			res.have++
		case allow[l] != "":
			usedAllow[l] = true
			pr.allowed++
			res.allowed++
		default:
			pr.gaps = append(pr.gaps, gap{l, why})
			res.missing++
		}
	}
	sort.Slice(res.pkgs, func(i, j int) bool { return res.pkgs[i].path < res.pkgs[j].path })
	for _, l := range sortedKeys(allow) {
		if !usedAllow[l] && byPkg[pkgOf(l)] != nil {
			res.stale = append(res.stale, l)
		}
	}
	return res
}

// satisfied reports whether the have side offers what line asks for, and if
// not, what it offers instead.
func satisfied(line string, have map[string]bool, byKey map[string][]string, aliases map[string]string) (bool, string) {
	c := canon(line, aliases)
	if have[c] {
		return true, ""
	}
	p, r := pkgOf(line), rest(c)
	// A method on the value is a method on the pointer too.
	if m := methodRE.FindStringSubmatch(r); m != nil && m[1] == "*" {
		if have[fmt.Sprintf("pkg %s, method (%s) %s%s", p, m[2], m[3], m[4])] {
			return true, ""
		}
	}
	// Two names for one type, whichever of them is the alias.
	if m := aliasRE.FindStringSubmatch(r); m != nil {
		self := p + "." + m[1]
		if t, ok := aliases[self]; ok {
			self = t
		}
		if self == m[2] {
			return true, ""
		}
	}
	cands := byKey[key(line)]
	// Nobody outside can implement a sealed interface, so it may grow.
	if wm, sealed, ok := ifaceHead(line); ok {
		for _, h := range cands {
			hm, hs, ok := ifaceHead(h)
			if !ok {
				continue
			}
			var gone, grown []string
			for _, m := range sortedKeys(wm) {
				if !hm[m] {
					gone = append(gone, "-"+m)
				}
			}
			for _, m := range sortedKeys(hm) {
				if !wm[m] {
					grown = append(grown, "+"+m)
				}
			}
			if hs && !sealed {
				grown = append(grown, "+"+unexportedMethods)
			}
			if len(gone) == 0 && (sealed || len(grown) == 0) {
				return true, ""
			}
			return false, "interface differs: " + strings.Join(append(gone, grown...), " ")
		}
	}
	if len(cands) == 0 {
		return false, ""
	}
	var alts []string
	for _, h := range cands {
		alts = append(alts, rest(h))
	}
	return false, "have: " + strings.Join(alts, " | ")
}

func (r *result) print(w io.Writer, summary bool) {
	for _, p := range r.pkgs {
		note := ""
		if p.allowed > 0 {
			note = fmt.Sprintf(" (%d allowed)", p.allowed)
		}
		mark := "ok  "
		if len(p.gaps) > 0 {
			mark = "MISS"
		}
		fmt.Fprintf(w, "%s %d/%d%s %s\n", mark, p.have, p.want, note, p.path)
		if summary {
			continue
		}
		for _, g := range p.gaps {
			fmt.Fprintf(w, "\t%s\n", g.line)
			if g.why != "" {
				fmt.Fprintf(w, "\t\t%s\n", g.why)
			}
		}
	}
	for _, l := range r.stale {
		fmt.Fprintf(w, "stale allowance (present, or not wanted): %s\n", l)
	}
	fmt.Fprintf(w, "total %d/%d present, %d allowed, %d missing\n", r.have, r.want, r.allowed, r.missing)
}
