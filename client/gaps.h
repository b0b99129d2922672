// What the server's version of the schema does not have of this program's, or has otherwise: told at every opening, kept in the file.
//
// It matters in two ways. An audience that the server does not have shows nothing: taken for served, rows that are here by another audience would
// seem to be its rows, too, and stay when that one is lost. And when the server is updated, values change that no stamp tells of: a new column
// has its default in every row, one that is gone has none. So what has changed from one opening to the next is fetched:
//
//   column that came, went, or may be null now   filled in, as after an update of this program (fill.h)
//   table or audience that came                  the same, with rows
//   table or audience that went                  all scopes are compared with the server: rows have to go
//
// Kept as text in charle_meta, "gaps": ";table/audience/number;" for each, the audience empty for the table itself, the number 0 for none of it.
#ifndef CHARLE_CLIENT_GAPS_H
#define CHARLE_CLIENT_GAPS_H

#include "charle/sync.charle.h"
#include "client/replica.h"

// Takes what an opening said; inside a transaction. *out_changed: what is missing is to be read anew, and what is being fetched thrown away.
CHARLE_MUST_CHECK enum charle_err ch_gaps_take(struct ch_replica *replica, const struct charle_open_reply *reply, bool is_ready, bool *out_changed,
                                               struct charle_error *err);
// Makes the tables go by what the file says; through a connection whose lock is held.
CHARLE_MUST_CHECK enum charle_err ch_gaps_apply(struct ch_replica *replica, struct charle_error *err);

#endif
