// What the package is for, and how a scenario is added to it.

// Package hostile holds no code for programs: its tests are peers that break the rules of HTTP/2 and gRPC, or keep them in bad faith, and
// check that each gets the answer that it must have and that others do not suffer.
//
// A peer (peer.go) is either end of a connection: dial makes the client's, accept the server's. It says what the test tells it to say, frame by
// frame, coded by golang.org/x/net, and reads only when the test does.
//
// The scenarios against a server run beside a victim (server_test.go), a well-behaved client on a connection of its own, none of whose calls may
// fail. To add one:
//
//   - an input that must get an exact answer is a row of a table: framing_test.go, hpack_test.go, fields_test.go or message_test.go. The row's
//     function says the input on a peer whose connection is set up, and its last lines what is wanted: wantReset and wantAlive for an error of
//     a stream, wantGoAway for one of the connection, wantStatus for an answer;
//   - a flood is a row of flood_test.go: how it is written, how it must end, and by when. Its size is that of the short form unless HOSTILE=full
//     is in the environment, as "make hostile" has it;
//   - frames that a flood repeats, and that are never the end of the connection, are a row of cheap_test.go for both ends, which have so much
//     processor time for them;
//   - what peers make the server hold is a row of held_test.go, with the most bytes that may be alive while the peer holds still, or of
//     unread_test.go, if it holds still because it does not read;
//   - scripts of a server against our client are in client_*_test.go.
//
// Nothing sleeps, and nothing depends on how fast the machine is: thresholds count frames, bytes and codes, or processor time with much to
// spare. Reads have a deadline, which only a failing test reaches.
package hostile
