// Faults that can be planted in the product, to see that the simulation finds them (tests/sim).
//
// Only the simulation's own build of the sources defines CHARLE_PLANTS. Everywhere else CH_PLANTED() is false before the compiler begins, and
// nothing of a fault is in the objects (tests/sim/absent.cmake looks).
#ifndef CHARLE_BASE_PLANT_H
#define CHARLE_BASE_PLANT_H

#define CH_PLANTS(X)                                                                                                   \
    X(HISTORY_IGNORED, "where an epoch ended in a scope is not looked at")                                            \
    X(LINEAGE_IGNORED, "an epoch is taken for another one of the same number")                                        \
    X(FLOOR_IGNORED, "a cursor below the floor gets what is left of the log")                                         \
    X(DELTA_KEPT, "changes in memory outlive the database that they were read from")                                  \
    X(GRANTS_UNWATCHED, "a live stream is not told that grants moved")                                                \
    X(HEADS_BY_ORDER, "heads that moved are found by the order of their transactions' keys")                          \
    X(TWO_SNAPSHOTS, "the pages of a pull are read in several snapshots")                                             \
    X(SCOPES_FROM_REQUEST, "whoever asks for a scope gets it")                                                        \
    X(EXIT_NOT_SENT, "nobody is told of rows that left a scope")                                                      \
    X(NUMBERS_WITHOUT_DEVICE, "calls that came before are known by their number alone")                               \
    X(ACK_BEFORE_COMMIT, "calls are answered although the commit failed")                                             \
    X(VERDICT_NOT_STORED, "a verdict is not kept for those who ask again")                                            \
    X(VERDICT_FORGOTTEN, "verdicts are forgotten before the replica has said that it has them")                       \
    X(LATE_PUSH_TAKEN, "a push from a past that was lost is taken")                                                   \
    X(CHAIN_UNCHECKED, "a copy of a replica is not told from the original")                                           \
    X(STAGED_LAST, "rows that were fetched before are laid over what changed since")                                  \
    X(PAGE_WITHOUT_TRANSACTION, "each scope of a moment is committed by itself")                                      \
    X(CURSOR_BEFORE_ROWS, "a cursor is committed before its rows")                                                    \
    X(CURSOR_AFTER_ROWS, "rows are committed before their cursors")                                                   \
    X(SENT_IS_DONE, "calls leave the outbox when they are sent")                                                      \
    X(NEWEST_FIRST, "after a failure calls that were never sent go first")                                            \
    X(REBASE_SKIPS_ONE, "the second call that has to run again does not")                                             \
    X(FOUND_UNCHECKED, "any row that comes back is taken for what waiting calls had found")                           \
    X(NEW_NUMBER_ON_RETRY, "a call whose answer was lost is sent under a new number")                                 \
    X(CLOCK_ORDERS, "calls are sent in the order of the clock")                                                       \
    X(REPAIR_DROPS_CALLS, "a repair throws away calls that were not sent")                                            \
    X(BASE_NOT_KEPT, "the confirmed image of a row is not kept under a waiting call")                                 \
    X(GAP_TAKEN, "changes are taken that do not join on")                                                             \
    X(RESCUE_DROPS_UNSENT, "calls that were not sent are not taken out of a damaged replica")                          \
    X(LOST_NOT_SENT, "calls that were answered and that the database lost are not sent again")                         \
    X(CALL_NOT_SYNCED, "a call is said to be safe before it is")                                                      \
    X(FILL_FORGOTTEN, "columns that an update of the program brings are not fetched")                                 \
    X(GAPS_IGNORED, "a replica does not look at what the server's version of the schema lacks")

#ifdef CHARLE_PLANTS
enum ch_plant {
    CH_PLANT_NONE,
#define CH_PLANT_NAME(name, what) CH_PLANT_##name,
    CH_PLANTS(CH_PLANT_NAME)
#undef CH_PLANT_NAME
        CH_PLANT_COUNT,
};
extern enum ch_plant ch_plant; // the one that is active; the simulation's own, and set before anything runs
#define CH_PLANTED(name) (ch_plant == CH_PLANT_##name)
#else
#define CH_PLANTED(name) false
#endif

#endif
