// The numbers are what programs of 2016 were compiled with, and a fixed list of addresses shows the interfaces in use.

package naming

import (
	"errors"
	"fmt"
	"testing"
)

func TestOperationNumbers(t *testing.T) {
	if Add != 0 || Delete != 1 {
		t.Errorf("got Add %d, Delete %d, want 0, 1", Add, Delete)
	}
}

// fixed resolves every name to the same addresses.
type fixed []string

func (f fixed) Resolve(string) (Watcher, error) {
	w := &fixedWatcher{first: make(chan []*Update, 1), closed: make(chan struct{})}
	var updates []*Update
	for _, addr := range f {
		updates = append(updates, &Update{Op: Add, Addr: addr})
	}
	w.first <- updates
	return w, nil
}

type fixedWatcher struct {
	first  chan []*Update
	closed chan struct{}
}

func (w *fixedWatcher) Next() ([]*Update, error) {
	select {
	case updates := <-w.first:
		return updates, nil
	case <-w.closed:
		return nil, errors.New("watcher closed")
	}
}

func (w *fixedWatcher) Close() { close(w.closed) }

func ExampleResolver() {
	var r Resolver = fixed{"10.0.0.1:50051", "10.0.0.2:50051"}
	w, err := r.Resolve("greeter")
	if err != nil {
		fmt.Println(err)
		return
	}
	updates, err := w.Next()
	for _, u := range updates {
		fmt.Println(u.Op == Add, u.Addr)
	}
	fmt.Println(err)
	w.Close()
	_, err = w.Next()
	fmt.Println(err)
	// Output:
	// true 10.0.0.1:50051
	// true 10.0.0.2:50051
	// <nil>
	// watcher closed
}
