"""The stand-in for PlatformIO's espressif32 and espressif8266: this computer's compiler, and their way to upload.

What surrounds the compiler is as in the real builders: `firmware.elf` becomes `firmware.bin`, its size is checked,
`nobuild` uploads what is there, other images of the flash travel with it, esptool writes them all.
"""

from os.path import join

from SCons.Script import COMMAND_LINE_TARGETS, AlwaysBuild, Default, DefaultEnvironment

CPP_STANDARD = {"espressif32": "gnu++11", "espressif8266": "gnu++17"}  # what the Arduino cores of each use

env = DefaultEnvironment()
board = env.BoardConfig()
platform = env.PioPlatform()
asked_for = {name: env.get(name, []) for name in ("CFLAGS", "CXXFLAGS")}
env.Tool("gcc")
env.Tool("g++")
env.Append(
    CCFLAGS=["-Og", "-Wall", "-Wextra", "-Werror", "-ffunction-sections"],
    CXXFLAGS=["-std=" + CPP_STANDARD[platform.name]],
    LINKFLAGS=["-Wl,--gc-sections"],
)
env.Append(**asked_for)
env.Replace(
    PROGNAME="firmware",
    PROGSUFFIX=".elf",
    SIZETOOL="size",
    SIZEPROGREGEXP=r"^(?:\.text|\.rodata|\.data)\s+([0-9]+).*",
    SIZEDATAREGEXP=r"^(?:\.data|\.bss)\s+([0-9]+).*",
    SIZECHECKCMD="$SIZETOOL -A -d $SOURCES",
    SIZEPRINTCMD="$SIZETOOL -B -d $SOURCES",
)

image = join("$BUILD_DIR", "${PROGNAME}.bin")
if "nobuild" not in COMMAND_LINE_TARGETS:
    strip = env.VerboseAction("strip -o $TARGET $SOURCE", "Building $TARGET")
    image = env.Command(image, env.BuildProgram(), strip)
    env.Depends(image, "checkprogsize")
AlwaysBuild(env.Alias("nobuild", image))
env.Alias("buildprog", image, image)

env.Replace(
    UPLOADERFLAGS=[
        *("--chip", board.get("build.mcu"), "--port", '"$UPLOAD_PORT"', "--baud", "$UPLOAD_SPEED"),
        *("--before", "default-reset", "--after", "hard-reset", "write-flash", "-z"),
        *(part for extra in env.get("FLASH_EXTRA_IMAGES", []) for part in extra),
    ],
    UPLOADCMD='"$PYTHONEXE" -m esptool $UPLOADERFLAGS ' + board.get("upload.offset_address") + " $SOURCE",
)
upload = [
    env.VerboseAction(env.AutodetectUploadPort, "Looking for upload port..."),
    env.VerboseAction("$UPLOADCMD", "Uploading $SOURCE"),
]
env.AddPlatformTarget("upload", image, upload, "Upload")
Default([image])
