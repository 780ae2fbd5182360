// BufferPool and the public names of its implementations, which live in internal/bufpool.

package mem

import (
	"fmt"
	"math/bits"

	"google.golang.org/grpc/internal/bufpool"
)

// pooledAbove is the size in bytes up to which a buffer is not worth pooling: allocating it costs less than counting references to it.
const pooledAbove = 1 << 10

// BufferPool hands out byte slices and takes them back for re-use. Its methods may be called by any number of goroutines.
type BufferPool interface {
	// Get returns a buffer whose length is the given number of bytes.
	Get(length int) *[]byte

	// Put takes back a buffer that came from Get; nobody may use it any more. The slice may have been shortened, but must start where
	// it started, so that its whole capacity can be used again.
	Put(*[]byte)
}

// NopBufferPool allocates each buffer anew and keeps none. Its zero value is ready for use.
type NopBufferPool struct {
	bufpool.NopBufferPool
}

// NewTieredBufferPool returns a pool with one class of buffers for each of the given capacities in bytes. Get takes from the smallest
// class that is large enough, and beyond the largest from one class of mixed capacities, of which none above 8 MiB is kept.
// Buffers from Get are zeroed.
func NewTieredBufferPool(poolSizes ...int) BufferPool {
	return bufpool.NewTiered(poolSizes...)
}

// NewBinaryTieredBufferPool is NewTieredBufferPool with capacities that are powers of two, given by their exponents: 14 means 16 KiB.
// It fails if an int cannot hold one of the capacities.
func NewBinaryTieredBufferPool(powerOfTwoExponents ...uint8) (BufferPool, error) {
	sizes := make([]int, len(powerOfTwoExponents))
	for i, exp := range powerOfTwoExponents {
		if exp >= bits.UintSize-1 {
			return nil, fmt.Errorf("mem: allocating slice of size 2^%d is not possible", exp)
		}
		sizes[i] = 1 << exp
	}
	return NewTieredBufferPool(sizes...), nil
}

// DefaultBufferPool returns the pool that gRPC uses where none is configured: a tiered pool with classes of 256 B, 4 KiB, 16 KiB,
// 32 KiB, and from there in powers of two to 1 MiB, unless the program has replaced it.
func DefaultBufferPool() BufferPool { return bufpool.Default() }

// IsBelowBufferPoolingThreshold reports whether a buffer of size bytes is so small (1 KiB or less) that it is allocated instead of pooled.
func IsBelowBufferPoolingThreshold(size int) bool { return size <= pooledAbove }
