/* A stand-in for a scanner maker's LIVESCAN library, for tests only. What lies on its glass
 * is a letter in the file `glass` beside the library. Built with LIVESCAN, or with nothing
 * for a library that has none of the functions. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { WIDTH = 256, HEIGHT = 360, SIZE = WIDTH * HEIGHT };

static unsigned noise = 1;
static int opened, capturing;

static char glass(void) {
    Dl_info own;
    char path[4096];
    if (!dladdr((void *)glass, &own)) return '?';
    snprintf(path, sizeof path, "%s", own.dli_fname);
    strcpy(strrchr(path, '/') + 1, "glass");
    FILE *file = fopen(path, "r");
    int letter = file ? fgetc(file) : '?';
    if (file) fclose(file);
    return letter;
}

static unsigned grain(void) {
    noise = noise * 1664525 + 1013904223;
    return noise >> 24;
}

static void picture(unsigned char *out, int center, double contrast, double mean, int rows) {
    for (int y = 0; y < HEIGHT; y++)
        for (int x = 0; x < WIDTH; x++) {
            int dx = x - 128, dy = y - 180;
            double value = 240, far = hypot(x - center, dy);
            if (dx * dx * 4 + dy * dy < 170 * 170 && y < rows)
                value = mean + contrast * sin(far * 2 * M_PI / 9);
            value += grain() % 5;
            out[y * WIDTH + x] = value < 0 ? 0 : value > 255 ? 255 : value;
        }
}

#ifdef LIVESCAN
int LIVESCAN_Init(void) {
    printf("LS maker's library 1.0, all rights reserved\n");
    fflush(stdout);
    switch (glass()) {
    case 'i': return -4;
    case 'c': abort();
    case 'h': for (;;) pause();
    }
    opened = 1;
    return 1;
}

int LIVESCAN_Close(void) { opened = 0; return 1; }
int LIVESCAN_GetChannelCount(void) { return 1; }
int LIVESCAN_GetVersion(void) { return 105; }

int LIVESCAN_GetMaxImageSize(int channel, int *width, int *height) {
    if (channel != 0) return -1;
    *width = glass() == 'Z' ? 1000000 : 640;
    *height = 640;
    return 1;
}

int LIVESCAN_GetCaptWindow(int channel, int *x, int *y, int *width, int *height) {
    if (channel != 0) return -1;
    if (glass() == 'Z') return -3;
    *x = *y = 0;
    *width = WIDTH;
    *height = HEIGHT;
    return 1;
}

int LIVESCAN_GetDesc(char text[1024]) {
    /* 测试采集仪 in GBK: a scanner for tests. */
    strcpy(text, "\xB2\xE2\xCA\xD4\xB2\xC9\xBC\xAF\xD2\xC7");
    return 1;
}

int LIVESCAN_GetErrorInfo(int number, char text[256]) { strcpy(text, "error"); return 1; }

int LIVESCAN_BeginCapture(int channel) {
    if (!opened) return -5;
    if (channel != 0 || capturing) return -1;
    capturing = 1;
    return 1;
}

int LIVESCAN_EndCapture(int channel) { capturing = 0; return 1; }

int LIVESCAN_GetFPRawData(int channel, unsigned char *out) {
    volatile unsigned spin = 1;
    if (!capturing) return -5;
    switch (glass()) {
    case 'n': picture(out, 128, 0, 240, 0); return 1;
    case 'f': picture(out, 128, 100, 128, HEIGHT); return 1;
    case 'd': picture(out, 128, 18, 200, HEIGHT); return 1;
    case 'w': picture(out, 128, 8, 25, HEIGHT); return 1;
    case 'p': picture(out, 128, 100, 128, 110); return 1;
    case 'm': picture(out, 120 + grain() % 40, 100, 128, HEIGHT); return 1;
    case 'r': noise = 1; picture(out, 128, 100, 128, HEIGHT); return 1;
    case 'C': *(volatile int *)8 = 1; return 1;
    case 'H': for (;;) pause();
    case 'B': while (spin) spin |= 1; return 1;
    case 'S': memset(out, 0, 2 * SIZE + 1000); return 1;
    case 'x': exit(0);
    case 'u': return -4;
    case 'e': return -101;
    case 'N': return socket(AF_INET, SOCK_STREAM, 0) < 0 ? -777 : 1;
    default: return -9;
    }
}
#endif
