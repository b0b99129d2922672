// What a task's status is, for all services that move its subtasks.
#ifndef CHARLE_SERVICES_TASK_H
#define CHARLE_SERVICES_TASK_H

#include "charleos/core.charle.h"

// Works out the task's status from its subtasks and stores it when it changed, with completed_at. `task` is the row as
// it was and becomes the row as it is. The rule: the phase of the earliest unfinished subtask once any was scheduled or
// begun; complete when all are; otherwise planned when it is on a month's plan, else backlog. A cancelled task stays
// cancelled.
CHARLE_MUST_CHECK enum charle_err ch_task_derive(struct charle_context *context, struct charleos_task *task,
                                                 struct charle_error *err);

#endif
