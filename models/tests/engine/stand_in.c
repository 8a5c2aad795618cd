/* A stand-in for a vendor's engine, by ENGINE_PROTOCOL.md. It recognises nobody: a face is
 * described by the grey of a grid over its box, a print by its darkest places. What it does
 * wrong is chosen by its first argument, or by the upper left pixel of a picture. */
#include <arpa/inet.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef VERSION
#define VERSION "4.2"
#endif
#define GRID 12

static unsigned char *content;
static uint32_t size;

static void take(void *to, size_t n) {
    if (n && fread(to, 1, n, stdin) != n) _exit(0);
}

static uint32_t number(const unsigned char *at) {
    return (uint32_t)at[0] << 24 | at[1] << 16 | at[2] << 8 | at[3];
}

static float real(const unsigned char *at) {
    uint32_t bits = number(at);
    float value;
    memcpy(&value, &bits, 4);
    return value;
}

static void put_number(unsigned char *at, uint32_t n) {
    at[0] = n >> 24, at[1] = n >> 16, at[2] = n >> 8, at[3] = n;
}

static void put_real(unsigned char *at, float value) {
    uint32_t bits;
    memcpy(&bits, &value, 4);
    put_number(at, bits);
}

static void say(char letter, const void *bytes, uint32_t n) {
    unsigned char head[7] = {'E', 'N', letter};
    put_number(head + 3, n);
    fwrite(head, 1, 7, stdout);
    fwrite(bytes, 1, n, stdout);
    fflush(stdout);
}

static void score(float value) {
    unsigned char bytes[4];
    put_real(bytes, value);
    say('S', bytes, 4);
}

/* One bit for each way out that is open. */
static int escapes(void) {
    int open_ways = 0;
    if (socket(AF_INET, SOCK_STREAM, 0) >= 0) open_ways |= 1;
    if (socket(AF_UNIX, SOCK_STREAM, 0) >= 0) open_ways |= 2;
    int child = fork();
    if (child == 0) _exit(0);
    if (child > 0) open_ways |= 4;
    if (kill(getppid(), 0) == 0) open_ways |= 8;
    if (open("/etc/passwd", O_RDONLY) >= 0) open_ways |= 32;
    if (open("/var/tmp/engine-escape", O_CREAT | O_WRONLY, 0600) >= 0) open_ways |= 64;
    if (getenv("HOME") || getenv("PATH")) open_ways |= 16;
    return open_ways;
}

static void misbehave(char letter) {
    switch (letter) {
    case 'c': *(volatile int *)0 = 1; break;
    case 'a': abort();
    case 'x': _exit(0);
    case 'h': sleep(600); break;
    case 'b': for (;;) {}
    case 'g': printf("no word of this protocol"); fflush(stdout); sleep(600); break;
    case 'l': say('T', "\0\0\0\0", 4); break;
    case 'n': score(NAN); break;
    case 'u': { unsigned char huge[] = "ENT\xff\xff\xff\xff"; fwrite(huge, 1, 7, stdout); fflush(stdout); sleep(600); break; }
    case 't': score(1); score(1); break;
    case 'm': for (;;) if (!malloc(1 << 20)) abort();
    case 'r': { unsigned char code[4]; put_number(code, 7); say('R', code, 4); break; }
    default: return;
    }
}

static int is_trick(char letter) { return letter && strchr("caxhbglnutmr", letter) != 0; }

/* The letter that a test wrote into a picture: three equal values, then 1, 2. */
static char trick_in(const unsigned char *pixels, uint32_t n) {
    int marked = n > 8 && pixels[0] == pixels[1] && pixels[1] == pixels[2] && pixels[3] == 1 &&
                 pixels[4] == 2;
    return marked ? (char)pixels[0] : 0;
}

static void face(char asked) {
    uint32_t width = number(content), height = number(content + 4);
    float left = real(content + 8), top = real(content + 12);
    float wide = real(content + 16), high = real(content + 20);
    uint32_t n_points = content[24] << 8 | content[25];
    const unsigned char *pixels = content + 26 + 8 * n_points;
    uint32_t n = width * height * 3;
    if (size != 26 + 8 * n_points + n) { misbehave('r'); return; }
    char trick = trick_in(pixels, n);
    if (is_trick(trick)) { misbehave(trick); return; }
    if (asked == 'L') { score(trick == 'e' ? escapes() / 128.0f : 0.9f); return; }
    unsigned char made[4 + GRID * GRID];
    put_real(made, 0.8f);
    for (int row = 0; row < GRID; row++)
        for (int column = 0; column < GRID; column++) {
            int x = left + wide * (column + 0.5f) / GRID, y = top + high * (row + 0.5f) / GRID;
            x = x < 0 ? 0 : x >= (int)width ? (int)width - 1 : x;
            y = y < 0 ? 0 : y >= (int)height ? (int)height - 1 : y;
            const unsigned char *at = pixels + 3 * (y * width + x);
            made[4 + row * GRID + column] = (at[0] + at[1] + at[2]) / 3;
        }
    say('T', made, sizeof made);
}

/* The darkest place of each field of 24 pixels, as minutiae of ISO/IEC 19794-2:2005. */
static void print(void) {
    uint32_t width = number(content), height = number(content + 4), ppi = number(content + 8);
    const unsigned char *pixels = content + 12;
    char trick = trick_in(pixels, width * height);
    if (is_trick(trick)) { misbehave(trick); return; }
    unsigned char made[4 + 28 + 6 * 255 + 2] = {0}, *record = made + 4, *at = record + 28;
    int n = 0;
    for (uint32_t top = 0; top + 24 <= height; top += 24)
        for (uint32_t left = 0; left + 24 <= width && n < 100; left += 24, n++, at += 6) {
            uint32_t x = left, y = top;
            for (uint32_t i = 0; i < 24 * 24; i++) {
                uint32_t u = left + i % 24, v = top + i / 24;
                if (pixels[v * width + u] < pixels[y * width + x]) x = u, y = v;
            }
            at[0] = 0x40 | x >> 8, at[1] = x, at[2] = y >> 8, at[3] = y, at[4] = 0, at[5] = 80;
        }
    uint32_t length = at + 2 - record, per_cm = ppi * 100 / 254;
    memcpy(record, "FMR\0 20\0", 8);
    put_number(record + 8, length);
    record[14] = width >> 8, record[15] = width, record[16] = height >> 8, record[17] = height;
    record[18] = per_cm >> 8, record[19] = per_cm, record[20] = per_cm >> 8, record[21] = per_cm;
    record[22] = 1, record[26] = 80, record[27] = n;
    put_real(made, 80);
    say('T', made, 4 + length);
}

/* The share of bytes that are nearly equal. */
static void compare(void) {
    uint32_t first = number(content);
    const unsigned char *a = content + 4, *b = a + first;
    uint32_t second = size - 4 - first, n = first < second ? first : second, same = 0;
    for (uint32_t i = 0; i < n; i++) same += abs(a[i] - b[i]) < 8;
    score(n ? (float)same / n : 0);
}

int main(int n_arguments, char **arguments) {
    char trick = n_arguments > 1 ? arguments[1][0] : 0;
    for (;;) {
        unsigned char head[7];
        take(head, 7);
        size = number(head + 3);
        content = realloc(content, size + 1);
        take(content, size);
        if (is_trick(trick)) misbehave(trick);
        switch (head[2]) {
        case 'H': say('I', trick == 'v' ? "\1" "9.9" : "\1" VERSION, 4); break;
        case 'D': case 'L': face(head[2]); break;
        case 'X': print(); break;
        case 'C': compare(); break;
        default: _exit(1);
        }
    }
}
