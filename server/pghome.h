// Where the private PostgreSQL's folder is: <data-dir>/postgres, or what that links to.
//
// PostgreSQL runs as another user when the server is root. Root's own places (/root, a folder made by mktemp) cannot be entered by
// that user, and PostgreSQL insists on absolute paths. A new cluster for such a data folder is therefore put into a folder of its own
// below /var/lib/charle-clusters, and <data-dir>/postgres becomes a link to it, so that everything is still found, and stays together, from
// the data folder. It is not root's default data folder, which must hold nothing but what a server put there. Nobody's
// permissions are changed.
#ifndef CHARLE_SERVER_PGHOME_H
#define CHARLE_SERVER_PGHOME_H

#include "server/datadir.h"

#include <stddef.h>

#define CH_PGHOME_FALLBACK "/var/lib/charle-clusters"

// Writes the absolute path, without links, of the folder that PostgreSQL's user may use. The folder itself may still be missing when
// it is <data-dir>/postgres; the keeper makes it. PERMISSION_DENIED when a cluster that is there cannot be reached by its
// user, or a link leads nowhere: the sentence says which. Only while the data folder's lock is held.
CHARLE_MUST_CHECK enum charle_err ch_pghome_find(const struct ch_datadir *dir, char *out, size_t out_size,
                                                 struct charle_error *err);

#endif
