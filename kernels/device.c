/* device.c - opens a device by name and passes calls on to its side. */
#include "kernels/backend.h"

#include <stdlib.h>
#include <string.h>

#include "core/alloc.h"
#include "kernels/cpu/cpu_private.h"

/* ------------------------------------------------------------------ names */

typedef enum side {
    SIDE_CPU,
    SIDE_CUDA,
    SIDE_UNKNOWN,
} side;

static bool is_number(const char *text)
{
    size_t length = strspn(text, "0123456789");
    return length > 0 && length <= 4 && text[length] == '\0';
}

/* auto takes the fastest side that works: the CPU, as long as there is no other. */
static side side_of(const char *name)
{
    if (strcmp(name, "auto") == 0 || strcmp(name, "cpu") == 0)
        return SIDE_CPU;
    if (strcmp(name, "cuda") == 0 || (strncmp(name, "cuda:", 5) == 0 && is_number(name + 5)))
        return SIDE_CUDA;
    return SIDE_UNKNOWN;
}

static const char no_cuda[] = "this build of rowforge has no CUDA side";

/* ------------------------------------------------------------------ open, close */

rf_code rf_device_open(rf_device **out, const char *name, int n_threads, rf_error *err)
{
    rf_code rc = RF_OK;
    rf_device *device = NULL;
    *out = NULL;
    switch (side_of(name)) {
    case SIDE_UNKNOWN:
        return rf_fail(err, RF_USAGE, "there is no device \"%.40s\"; it must be auto, cpu, cuda or cuda:N",
                       name);
    case SIDE_CUDA:
        return rf_fail(err, RF_DEVICE, "the device %.40s cannot be used: %s; take cpu or auto", name,
                       no_cuda);
    case SIDE_CPU:
        break;
    }
    RF_TRY(RF_NEW_ARRAY(&device, 1, "the device", err));
    RF_TRY(rfi_cpu_open(device, n_threads, err));
    *out = device;
    device = NULL;
out:
    rf_device_close(device);
    return rc;
}

void rf_device_close(rf_device *device)
{
    if (device && device->type)
        device->type->close(device);
    rf_free(device);
}

/* ------------------------------------------------------------------ memory */

rf_code rf_device_alloc(rf_device *device, void **out, size_t size_bytes, rf_error *err)
{
    return device->type->alloc(device, out, size_bytes, err);
}

void rf_device_free(rf_device *device, void *pointer)
{
    device->type->free(device, pointer);
}

rf_code rf_device_write(rf_device *device, void *to, const void *from, size_t size_bytes, rf_error *err)
{
    return device->type->write(device, to, from, size_bytes, err);
}

rf_code rf_device_read(rf_device *device, void *to, const void *from, size_t size_bytes, rf_error *err)
{
    return device->type->read(device, to, from, size_bytes, err);
}

rf_code rf_device_sync(rf_device *device, rf_error *err)
{
    return device->type->sync(device, err);
}

/* ------------------------------------------------------------------ list */

void rf_device_list(rf_buf *out, bool json)
{
    rf_error err = {0};
    rf_device *cpu = NULL;
    bool usable = rf_device_open(&cpu, "cpu", 0, &err) == RF_OK;
    const char *summary = usable ? cpu->summary : "", *reason = usable ? "" : err.message;
    if (json) { /* our own words only: nothing in them needs escaping but ROWFORGE_CPU's quotes, which the reason leaves out */
        rf_buf_printf(out, "[{\"name\":\"cpu\",\"usable\":%s,\"summary\":\"%s\",\"reason\":\"%s\"},",
                      usable ? "true" : "false", summary, usable ? "" : rf_code_name(err.code));
        rf_buf_printf(out, "{\"name\":\"cuda\",\"usable\":false,\"summary\":\"\",\"reason\":\"%s\"}]\n",
                      no_cuda);
    } else {
        rf_buf_printf(out, "cpu   %s%s\n", usable ? summary : "cannot be used: ", reason);
        rf_buf_printf(out, "cuda  cannot be used: %s\n", no_cuda);
    }
    rf_device_close(cpu);
}
