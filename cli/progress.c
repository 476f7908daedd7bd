#include "cli/progress.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "core/clock.h"

static const double bar_interval_s = 0.1, line_interval_s = 10.0;
enum { BAR_WIDTH = 24 };

/* ------------------------------------------------------------------ stopping */

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    interrupted = number;
}

static void set_handler(void (*handler)(int))
{
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = handler;
    action.sa_flags = handler == SIG_DFL ? 0 : (int)SA_RESETHAND;
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

void rf_interrupt_begin(void)
{
    interrupted = 0;
    set_handler(on_signal);
}

void rf_interrupt_end(void)
{
    set_handler(SIG_DFL);
}

bool rf_interrupted(void)
{
    return interrupted != 0;
}

/* ------------------------------------------------------------------ words */

void rf_duration_text(char *out, size_t capacity, double seconds)
{
    if (!(seconds >= 0) || seconds > 1e9) {
        snprintf(out, capacity, "?");
        return;
    }
    const long s = (long)(seconds + 0.5);
    if (s >= 3600)
        snprintf(out, capacity, "%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
    else if (s >= 60)
        snprintf(out, capacity, "%ld:%02ld", s / 60, s % 60);
    else if (seconds < 10)
        snprintf(out, capacity, "%.1f s", seconds);
    else
        snprintf(out, capacity, "%ld s", s);
}

void rf_count_text(char *out, size_t capacity, int64_t count)
{
    char digits[32];
    const int n = snprintf(digits, sizeof digits, "%lld", (long long)count);
    size_t at = 0;
    for (int i = 0; i < n && at + 2 < capacity; i++) {
        out[at++] = digits[i];
        const int left = n - 1 - i;
        if (left > 0 && left % 3 == 0 && digits[i] != '-')
            out[at++] = ',';
    }
    out[at] = '\0';
}

static void losses_text(char *out, size_t capacity, const rf_losses *losses)
{
    out[0] = '\0';
    if (isfinite(losses->discriminator))
        snprintf(out, capacity, "  generator %.3f, discriminator %.3f", losses->generator,
                 losses->discriminator);
    else if (isfinite(losses->generator))
        snprintf(out, capacity, "  loss %.3f", losses->generator);
}

/* Everything after the bar: "epoch 12/300  generator …  96,000 rows/s  1:12 left". */
static void tail_text(char *out, size_t capacity, const rf_progress *progress)
{
    char losses[96] = "", rate[32], left[32], where[64] = "";
    rf_count_text(rate, sizeof rate, (int64_t)progress->rows_per_s);
    rf_duration_text(left, sizeof left, progress->eta_s);
    if (progress->epochs > 0) {
        snprintf(where, sizeof where, "  epoch %lld/%lld", (long long)progress->epoch,
                 (long long)progress->epochs);
        losses_text(losses, sizeof losses, &progress->losses);
    }
    snprintf(out, capacity, "%s%s  %s rows/s  %s left", where, losses, rate, left);
}

/* ------------------------------------------------------------------ showing */

void rf_progress_view_init(rf_progress_view *view, bool quiet)
{
    memset(view, 0, sizeof *view);
    view->quiet = quiet;
    view->terminal = isatty(STDERR_FILENO) == 1;
    const char *locale = getenv("LC_ALL");
    if (!locale || !*locale)
        locale = getenv("LC_CTYPE");
    if (!locale || !*locale)
        locale = getenv("LANG");
    view->unicode = locale && (strstr(locale, "UTF-8") || strstr(locale, "utf8"));
    view->last_s = rf_clock_s();
}

static int terminal_columns(void)
{
    struct winsize size;
    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return 80;
}

static void draw_bar(rf_progress_view *view, const rf_progress *progress, double share)
{
    char tail[256], bar[BAR_WIDTH * 3 + 1] = "";
    tail_text(tail, sizeof tail, progress);
    const int full = (int)(share * BAR_WIDTH + 0.5);
    for (int i = 0; i < BAR_WIDTH; i++)
        strcat(bar, i < full ? (view->unicode ? "█" : "#") : (view->unicode ? "░" : "."));
    const int head = 9 + 2 + BAR_WIDTH + 5;
    const int room = terminal_columns() - head - 1;
    fprintf(stderr, "\r%-9s  %s %3d%%%.*s\033[K", progress->phase, bar, (int)(share * 100),
            room > 0 ? room : 0, tail);
    fflush(stderr);
    view->shown = true;
}

bool rf_progress_show(void *arg, const rf_progress *progress)
{
    rf_progress_view *view = arg;
    const double now_s = rf_clock_s();
    const double wait_s = view->terminal ? bar_interval_s : line_interval_s;
    if (!view->quiet && now_s - view->last_s >= wait_s) {
        view->last_s = now_s;
        const double share = progress->total > 0 ? (double)progress->done / (double)progress->total : 0;
        if (view->terminal) {
            draw_bar(view, progress, share);
        } else {
            char tail[256];
            tail_text(tail, sizeof tail, progress);
            fprintf(stderr, "%s %d%%%s\n", progress->phase, (int)(share * 100), tail);
        }
    }
    return !rf_interrupted();
}

void rf_progress_clear(rf_progress_view *view)
{
    if (view->shown)
        fputs("\r\033[K", stderr);
    view->shown = false;
}
