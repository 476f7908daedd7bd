#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/service.h"
#include "core/log.h"
#include "queue/queue.h"
#include "storage/storage.h"
#include "worker/worker.h"

/* ------------------------------------------------------------------ what it stands on */

/* Only what the server handed over counts: the .env file was read there. */
static rf_code load_settings(rf_service *service, rf_error *err)
{
    rf_notes faults;
    rf_notes_init(&faults);
    rf_code rc = rf_settings_load(&service->settings, environ, NULL, &faults, NULL, err);
    rf_notes_free(&faults);
    return rc;
}

static void on_term(int signal_number)
{
    (void)signal_number;
    rf_worker_quiet();
}

static void set_signals(void)
{
    struct sigaction quiet = {.sa_handler = on_term}, ignored = {.sa_handler = SIG_IGN};
    sigaction(SIGTERM, &quiet, NULL);
    sigaction(SIGINT, &ignored, NULL); /* Ctrl-C is for the server, which tells us */
}

/* Nothing is tidied up, since another thread is in the middle of things: whoever starts next removes what is left. */
static void end_process(void)
{
    _exit(rf_code_exit(RF_INTERRUPTED));
}

/* ------------------------------------------------------------------ the command */

static rf_code work(rf_cli *cli, rf_service *service, int fd, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_queue *queue = NULL;
    rf_storage *storage = NULL;
    const char *objects = NULL, *scratch = NULL;
    int64_t threads = 0;
    RF_TRY(rf_options_int(&cli->options, RF_OPT_THREADS, 1, 1024, 0, &threads, err));
    RF_TRY(rf_service_path(service, "objects", &objects, err));
    RF_TRY(rf_service_path(service, "work", &scratch, err));
    RF_TRY(rf_queue_connect_fd(&queue, fd, err));
    RF_TRY(rf_storage_open_folder(&storage, objects, "", 0, err)); /* signs nothing */
    /* the server has waited as long as it wants to before it sends SIGTERM */
    const rf_worker_options options = {.queue = queue,
                                       .storage = storage,
                                       .scratch = scratch,
                                       .device = rf_options_text(&cli->options, RF_OPT_DEVICE, "auto"),
                                       .threads = (int)threads,
                                       .beat_s = service->settings.beat_s,
                                       .checkpoint_s = service->settings.checkpoint_s,
                                       .drain_s = 0,
                                       .end_process = end_process};
    RF_TRY(rf_worker_run(&options, err));
out:
    rf_queue_close(queue);
    rf_storage_close(storage);
    return rc;
}

rf_code rf_cmd_worker(rf_cli *cli, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_service service = {.lock_fd = -1};
    int64_t fd = -1;
    umask(077);
    set_signals();
    RF_TRY(rf_options_operands(&cli->options, 0, "no argument", err));
    RF_TRY(rf_options_int(&cli->options, RF_OPT_FD, 3, 1 << 20, -1, &fd, err));
    if (fd < 0)
        RF_TRY(rf_fail(err, RF_USAGE, "a worker is started by rowforge serve, which gives it --fd"));
    RF_TRY(load_settings(&service, err));
    RF_TRY(rf_service_open_log(&service, false, err));
    rc = work(cli, &service, (int)fd, err);
    if (rc == RF_INTERRUPTED) /* the server is gone */
        rc = RF_OK;
    if (rc != RF_OK)
        rf_log_failure(RF_LOG_ERROR, "worker", err);
out:
    rf_service_free(&service);
    return rc;
}
