// The keeper: the process that runs the private PostgreSQL for the server.
//
// It is forked before the server starts any thread (nng must not be forked under), drops to PostgreSQL's user for good,
// and is the parent of the postmaster. The two talk over a socket pair: the keeper sends notes, the server only ever
// closes its end. That end also closes when the server is killed, so PostgreSQL never outlives its server for long; and
// when the keeper is killed the kernel tells the postmaster to stop (PR_SET_PDEATHSIG).
//
//   CLEANING ── no process has the cluster open ──► STARTING ── postmaster.pid says "ready" ──► RUNNING
//                                                   ▲   │ ended before it was ready once:          │
//                                                   │   ▼ note FAILED, leave                       │ ended: note DIED
//                                                BACK_OFF (0.1 s doubling to 5 s) ◄────────────────┘
//   every state ── the server's end is closed ──► STOPPING: SIGINT (fast), after 30 s SIGQUIT, 5 s later SIGKILL
//
// Nothing of this survives a crash but the files; a new keeper waits for the lock of an old one that is still stopping,
// then stops whatever still has the cluster open.
#ifndef CHARLE_SERVER_KEEPER_H
#define CHARLE_SERVER_KEEPER_H

#include "base/err.h"
#include "server/datadir.h"
#include "server/pgfiles.h"

enum ch_note_kind {
    CH_NOTE_PROGRESS = 1, // a long step, for people
    CH_NOTE_READY = 2,    // PostgreSQL takes connections
    CH_NOTE_DIED = 3,     // it ended by itself and will be started again in delay_ms
    CH_NOTE_FAILED = 4,   // it cannot be started; the keeper has left
};

struct ch_note { // one datagram
    uint32_t kind;
    int32_t pid; // of the postmaster; 0: none
    uint32_t delay_ms;
    int32_t code; // enum charle_err of FAILED
    char text[sizeof(((struct charle_error *)0)->text)];
};

// Runs in the forked child and ends it. `control` is the keeper's end of the pair.
_Noreturn void ch_keeper_run(struct ch_pgfiles *files, const struct ch_datadir *dir, int control);

#endif
