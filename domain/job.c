#include "domain/job.h"

#include <string.h>

static const char *const state_names[] = {
#define NAME(name, text, final) text,
    RF_JOB_STATE_TABLE(NAME)
#undef NAME
};

static const bool state_final[] = {
#define FINAL(name, text, final) final,
    RF_JOB_STATE_TABLE(FINAL)
#undef FINAL
};

static const char *const kind_names[] = {
#define NAME(name, text, summary) text,
    RF_JOB_KIND_TABLE(NAME)
#undef NAME
};

static const char *const failure_names[] = {
#define NAME(name, text, summary) text,
    RF_FAILURE_TABLE(NAME)
#undef NAME
};

#define BIT(state) (1u << RF_JOB_##state)
/* The states that may follow each; the drawing in job.h. */
static const unsigned follows[RF_JOB_STATE_COUNT] = {
    [RF_JOB_PENDING_APPROVAL] = BIT(QUEUED) | BIT(REJECTED) | BIT(CANCELLED),
    [RF_JOB_QUEUED] = BIT(RUNNING) | BIT(FAILED) | BIT(CANCELLED),
    [RF_JOB_RUNNING] = BIT(QUEUED) | BIT(COMPLETED) | BIT(FAILED) | BIT(CANCELLED),
};

static int find(const char *const *names, int n, const char *name)
{
    for (int i = 0; i < n; i++)
        if (!strcmp(names[i], name))
            return i;
    return -1;
}

const char *rf_job_state_name(rf_job_state state)
{
    return state_names[state];
}

const char *rf_job_kind_name(rf_job_kind kind)
{
    return kind_names[kind];
}

const char *rf_failure_name(rf_failure failure)
{
    return failure_names[failure];
}

int rf_job_state_find(const char *name)
{
    return find(state_names, RF_JOB_STATE_COUNT, name);
}

int rf_job_kind_find(const char *name)
{
    return find(kind_names, RF_JOB_KIND_COUNT, name);
}

int rf_failure_find(const char *name)
{
    return find(failure_names, RF_FAILURE_COUNT, name);
}

bool rf_job_state_is_final(rf_job_state state)
{
    return state_final[state];
}

bool rf_job_state_may_follow(rf_job_state from, rf_job_state to)
{
    return follows[from] >> to & 1u;
}
