// What a method that is marked offline may be: known from descriptors, when a program registers its services.
//
// An offline method runs on a laptop, is queued, and runs again on the server. So it has one request and one reply, writes, has a body, and
// uses only tables that laptops have and that the people who may call it see. A program whose services break this does not start: a
// replica is not opened and a server does not listen. What a body does in fact is watched while it runs on a replica (client/guard.h).
#ifndef CHARLE_CALL_OFFLINE_H
#define CHARLE_CALL_OFFLINE_H

#include "call/method.h"

// FAILED_PRECONDITION with a sentence that names the method, what it may not do, and what to do about it. Methods that are not
// offline are fine.
CHARLE_MUST_CHECK enum charle_err charle_offline_check(const struct charle_schema *schema, const struct charle_method *method,
                                                       struct charle_error *err);
// The same of every service of the schema; the first that is wrong.
CHARLE_MUST_CHECK enum charle_err charle_offline_check_all(const struct charle_schema *schema, struct charle_error *err);

#endif
