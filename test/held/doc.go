// What the package is; all of it is tests.

// Package held measures how much memory peers hold: that of idle connections, and of streams that wait. Each end is a process of its own,
// since a test that had both could not tell whose memory is whose.
package held
