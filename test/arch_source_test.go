// What every source file of the library must look like: first comments, sizes, and the things that do not occur.

package test

import (
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

const (
	maxFileLines     = 500 // of files that are neither tests nor generated
	maxFunctionLines = 80
	manyBools        = 2 // more of them in one struct are worth a look: they may be a state machine
)

// longFiles are files of more than maxFileLines lines that may be so long, and why.
var longFiles = map[string]string{}

// funcVariables are package variables of a func type that may be one, and why.
var funcVariables = map[string]string{
	"balancer/base.NewErrPickerV2": "the exported API has it as a variable",
}

// goComment is what the comment at a go statement says: how the goroutine ends, or who waits for it.
var goComment = regexp.MustCompile(`\b(ends?|until|waits?|as above)\b`)

// unfinished is what comments of things that are still to do begin with.
var unfinished = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|XXX)\b`)

// A source is a parsed file.
type source struct {
	name string // its path in the repository
	file *ast.File
	fset *token.FileSet
}

func (s *source) isTest() bool { return strings.HasSuffix(s.name, "_test.go") }

func (s *source) line(p token.Pos) int { return s.fset.Position(p).Line }

// isCore reports whether the file belongs to the client and server towers or what is below them.
func (s *source) isCore() bool {
	dir := filepath.ToSlash(filepath.Dir(s.name))
	return dir == "." || inAny(dir, []string{"transport", "internal", "balancer", "resolver"}) && !inAny(dir, forTests)
}

// A fault is something that a file must not have.
type fault struct {
	at   token.Pos
	text string
}

func TestArchFirstCommentSaysTheJob(t *testing.T)    { report(t, firstComment) }
func TestArchFilesAreShort(t *testing.T)             { report(t, fileSize) }
func TestArchFunctionsAreShort(t *testing.T)         { report(t, functionSizes) }
func TestArchTestsDoNotSleep(t *testing.T)           { report(t, sleeps) }
func TestArchFuzzTargetsLimitTheirTime(t *testing.T) { report(t, fuzzTargets) }
func TestArchNothingIsLeftToDo(t *testing.T)         { report(t, leftToDo) }
func TestArchGoroutinesSayHowTheyEnd(t *testing.T) {
	report(t, goroutines)
}

// report fails the test for all faults that check finds.
func report(t *testing.T, check func(*source) []fault) {
	t.Helper()
	for _, s := range parsed(t) {
		for _, f := range check(s) {
			t.Errorf("%s:%d: %s", s.name, s.line(f.at), f.text)
		}
	}
}

func firstComment(s *source) []fault {
	if len(s.file.Comments) == 0 || s.file.Comments[0].Pos() > s.file.Package {
		return []fault{{s.file.Package, "no comment before the package clause, want one that says the file's job"}}
	}
	first := s.file.Comments[0]
	text := first.Text() // empty for directives
	switch {
	case s.line(first.Pos()) != 1 || text == "":
		return []fault{{first.Pos(), "the file does not begin with a comment that says its job"}}
	case first == s.file.Doc:
		return []fault{{first.Pos(), "the first comment is the package's, want one before it that says the file's job"}}
	case strings.Contains(text, "Copyright") || strings.Contains(text, "Licensed under"):
		return []fault{{first.Pos(), "the file begins with a licence, which belongs to LICENSE alone"}}
	}
	return nil
}

func fileSize(s *source) []fault {
	if s.isTest() {
		return nil
	}
	n := s.fset.File(s.file.Pos()).LineCount()
	switch reason, may := longFiles[s.name]; {
	case n > maxFileLines && !may:
		return []fault{{s.file.Pos(), fmt.Sprintf("%d lines, want at most %d; split it, or name it in longFiles with a reason", n, maxFileLines)}}
	case n <= maxFileLines && may:
		return []fault{{s.file.Pos(), fmt.Sprintf("%d lines, which need no place in longFiles (%s)", n, reason)}}
	}
	return nil
}

func functionSizes(s *source) (faults []fault) {
	if s.isTest() {
		return nil
	}
	for _, d := range s.file.Decls {
		if f, ok := d.(*ast.FuncDecl); ok {
			if n := s.line(f.End()) - s.line(f.Pos()) + 1; n > maxFunctionLines {
				faults = append(faults, fault{f.Pos(), fmt.Sprintf("%s has %d lines, want at most %d", f.Name.Name, n, maxFunctionLines)})
			}
		}
	}
	return faults
}

func sleeps(s *source) (faults []fault) {
	if !s.isTest() {
		return nil
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "Sleep" && types.ExprString(sel.X) == "time" {
			faults = append(faults, fault{n.Pos(), "a test that sleeps; use testing/synctest or a channel"})
		}
		return true
	})
	return faults
}

// fuzzTargets finds targets whose time with an input has no limit but Go's, which comes too late for short runs.
func fuzzTargets(s *source) (faults []fault) {
	ast.Inspect(s.file, func(n ast.Node) bool {
		call, ok := n.(*ast.CallExpr)
		if !ok || types.ExprString(call.Fun) != "f.Fuzz" {
			return true
		}
		target, ok := call.Args[0].(*ast.FuncLit)
		if !ok || len(target.Body.List) == 0 {
			faults = append(faults, fault{n.Pos(), "a fuzz target that is no function literal, or an empty one"})
			return true
		}
		first, ok := target.Body.List[0].(*ast.ExprStmt)
		if !ok || types.ExprString(first.X) != "testkit.LimitTime(t)" {
			faults = append(faults, fault{n.Pos(), "a fuzz target that does not begin with testkit.LimitTime(t)"})
		}
		return true
	})
	return faults
}

func leftToDo(s *source) (faults []fault) {
	for _, group := range s.file.Comments {
		if word := unfinished.FindString(group.Text()); word != "" {
			faults = append(faults, fault{group.Pos(), "a comment with " + word + ": do it, or leave it"})
		}
	}
	return faults
}

func goroutines(s *source) (faults []fault) {
	if s.isTest() || !s.isCore() {
		return nil
	}
	comments := make(map[int]string) // by line
	for _, group := range s.file.Comments {
		for line := s.line(group.Pos()); line <= s.line(group.End()); line++ {
			comments[line] = group.Text()
		}
	}
	ast.Inspect(s.file, func(n ast.Node) bool {
		if _, ok := n.(*ast.GoStmt); ok {
			line := s.line(n.Pos())
			if !goComment.MatchString(comments[line]) && !goComment.MatchString(comments[line-1]) {
				faults = append(faults, fault{n.Pos(), "a goroutine without a comment, on its line or above, of who owns it and how it ends"})
			}
		}
		return true
	})
	return faults
}

func TestArchReportsStructsWithManyBools(t *testing.T) {
	for _, s := range parsed(t) {
		if s.isTest() || !s.isCore() {
			continue
		}
		ast.Inspect(s.file, func(n ast.Node) bool {
			if spec, ok := n.(*ast.TypeSpec); ok {
				if bools := boolFields(spec.Type); len(bools) > manyBools {
					t.Logf("%s:%d: %s has %d bools: %s", s.name, s.line(n.Pos()), spec.Name.Name, len(bools), strings.Join(bools, " "))
				}
			}
			return true
		})
	}
}

// boolFields returns the names of the fields that are bool or atomic.Bool.
func boolFields(e ast.Expr) (names []string) {
	st, ok := e.(*ast.StructType)
	if !ok {
		return nil
	}
	for _, f := range st.Fields.List {
		if typ := types.ExprString(f.Type); typ == "bool" || typ == "atomic.Bool" {
			for _, name := range f.Names {
				names = append(names, name.Name)
			}
		}
	}
	return names
}

func TestArchNoVariablesOfFuncOrAnyType(t *testing.T) {
	packages := listed(t)
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(packages[path].Export) })
	seen := make(map[string]bool)
	for _, p := range packages {
		if p.DepOnly {
			continue
		}
		var files []*ast.File
		for _, name := range p.GoFiles {
			f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, f)
		}
		for _, v := range openVariables(t, p.ImportPath, fset, files, imports) {
			name := p.name() + "." + v.Name()
			seen[name] = true
			if _, may := funcVariables[name]; !may {
				t.Errorf("%s: a package variable of type %v; use a method, a registry, or a type that says what it holds", name, v.Type())
			}
		}
	}
	for name := range funcVariables {
		if !seen[name] {
			t.Errorf("funcVariables names %s, which is none", name)
		}
	}
}

// openVariables returns the package variables whose type is a func, or any.
func openVariables(t *testing.T, path string, fset *token.FileSet, files []*ast.File, imports types.Importer) (found []*types.Var) {
	t.Helper()
	config := types.Config{Importer: imports, IgnoreFuncBodies: true}
	checked, err := config.Check(path, fset, files, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range checked.Scope().Names() {
		if v, ok := checked.Scope().Lookup(name).(*types.Var); ok {
			switch u := v.Type().Underlying().(type) {
			case *types.Signature:
				found = append(found, v)
			case *types.Interface:
				if u.Empty() {
					found = append(found, v)
				}
			}
		}
	}
	return found
}

// all holds the sources, which are read once.
var all struct {
	once    sync.Once
	sources []*source
	err     error
}

// parsed returns all files of the repository, those of nested modules too, but not generated ones and test data.
func parsed(t *testing.T) []*source {
	t.Helper()
	all.once.Do(func() { all.sources, all.err = parseFiles("..") })
	if all.err != nil {
		t.Fatal(all.err)
	}
	return all.sources
}

func parseFiles(root string) (sources []*source, err error) {
	fset := token.NewFileSet()
	err = filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || path != root && strings.HasPrefix(d.Name(), ".")):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go"):
			return nil
		}
		f, err := parser.ParseFile(fset, path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		if name, _ := filepath.Rel(root, path); !ast.IsGenerated(f) {
			sources = append(sources, &source{filepath.ToSlash(name), f, fset})
		}
		return nil
	})
	return sources, err
}

func TestArchChecksFindFaults(t *testing.T) {
	const job = "// A file for the test.\n\npackage p\n"
	for _, tt := range []struct {
		about, name, text string
		check             func(*source) []fault
		want              int
	}{
		{"a first comment", "a.go", job, firstComment, 0},
		{"no comment", "a.go", "package p\n", firstComment, 1},
		{"a comment too late", "a.go", "package p // of the test\n", firstComment, 1},
		{"a package comment alone", "a.go", "// Package p is a test.\npackage p\n", firstComment, 1},
		{"a directive first", "a.go", "//go:build unix\n\npackage p\n", firstComment, 1},
		{"a licence", "a.go", "// Copyright 2016\n\npackage p\n", firstComment, 1},
		{"500 lines", "a.go", job + strings.Repeat("\n", 497), fileSize, 0},
		{"501 lines", "a.go", job + strings.Repeat("\n", 498), fileSize, 1},
		{"501 lines of tests", "a_test.go", job + strings.Repeat("\n", 498), fileSize, 0},
		{"80 lines of a function", "a.go", job + "func f() {\n" + strings.Repeat("\n", 78) + "}\n", functionSizes, 0},
		{"81 lines of a function", "a.go", job + "func f() {\n" + strings.Repeat("\n", 79) + "}\n", functionSizes, 1},
		{"a test that sleeps", "a_test.go", job + "func f() { time.Sleep(1) }\n", sleeps, 1},
		{"a program that sleeps", "a.go", job + "func f() { time.Sleep(1) }\n", sleeps, 0},
		{"a fuzz target", "a_test.go", job + "func g() { f.Fuzz(func(t *testing.T, b []byte) { testkit.LimitTime(t); h(b) }) }\n", fuzzTargets, 0},
		{"a fuzz target without a limit", "a_test.go", job + "func g() { f.Fuzz(func(t *testing.T, b []byte) { h(b) }) }\n", fuzzTargets, 1},
		{"a fuzz target by name", "a_test.go", job + "func g() { f.Fuzz(h) }\n", fuzzTargets, 1},
		{"things to do", "a.go", job + "// TO" + "DO: all of it\nvar x, y = 1, 2 // FIX" + "ME\n", leftToDo, 2},
		{"a goroutine", "internal/a.go", job + "func f() {\n\n\tgo f()\n}\n", goroutines, 1},
		{"a goroutine and its end", "internal/a.go", job + "func f() {\n\tgo f() // of p; ends with f\n}\n", goroutines, 0},
		{"a goroutine below its end", "internal/a.go", job + "func f() {\n\t// Of p; ends with f.\n\tgo f()\n}\n", goroutines, 0},
		{"a goroutine with an empty comment", "internal/a.go", job + "func f() {\n\tgo f() // runs f\n}\n", goroutines, 1},
		{"a goroutine elsewhere", "health/a.go", job + "func f() {\n\tgo f()\n}\n", goroutines, 0},
	} {
		fset := token.NewFileSet()
		f, err := parser.ParseFile(fset, tt.name, tt.text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatalf("%s: %v", tt.about, err)
		}
		if got := tt.check(&source{tt.name, f, fset}); len(got) != tt.want {
			t.Errorf("%s: got faults %v, want %d", tt.about, got, tt.want)
		}
	}
}

func TestArchFindsVariablesOfFuncAndAnyType(t *testing.T) {
	const text = "package p\ntype h func()\nfunc f() {}\nvar (\n a = f\n b h\n c any\n d = func() int { return 1 }()\n e error\n g = []func(){f}\n)\n"
	fset := token.NewFileSet()
	f, err := parser.ParseFile(fset, "a.go", text, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, v := range openVariables(t, "p", fset, []*ast.File{f}, nil) {
		got = append(got, v.Name())
	}
	if want := []string{"a", "b", "c"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
