// The published limits: what galago refuses before it allocates anything. docs/errors.md lists them for
// users.
#pragma once

#include <cstddef>
#include <cstdint>

namespace galago::limits {

/// safetensors: the JSON header, as the reference implementation limits it.
inline constexpr int64_t kSafetensorsHeaderBytes = 100'000'000;
/// Any JSON file of a model directory (config, index, chat template).
inline constexpr int64_t kConfigBytes = 16 << 20;
/// tokenizer.json, which holds vocabulary and merges.
inline constexpr int64_t kTokenizerBytes = 256 << 20;
/// tokenizer.model or spiece.model; the largest in use have about 5 MiB.
inline constexpr int64_t kSentencePieceBytes = 32 << 20;
/// Nesting depth of any JSON document.
inline constexpr int kJsonDepth = 64;
/// Values (numbers, texts, lists, objects) of any JSON document; the largest tokenizers have about 2 million.
inline constexpr int64_t kJsonValues = 8'000'000;
/// Dimensions of a tensor, tensors of a file, and shards of a checkpoint.
inline constexpr int kTensorRank = 8;
inline constexpr int64_t kTensors = 100'000;
inline constexpr int kShards = 1024;
/// GGUF: keys of the metadata, bytes of a name, nested lists, dimensions of a tensor (as ggml has them), and
/// the alignment of tensor data.
inline constexpr int64_t kGgufKeys = 65'536;
inline constexpr int64_t kGgufNameBytes = 65'535;
inline constexpr int kGgufDepth = 4;
inline constexpr int kGgufRank = 4;
inline constexpr int64_t kGgufAlignment = 1 << 20;
/// An image file, and the pixels it may decode to: Pillow refuses more than twice its MAX_IMAGE_PIXELS of
/// 89478485.
inline constexpr int64_t kImageBytes = 256 << 20;
inline constexpr int64_t kImagePixels = 178'956'970;
/// What decoding one image may hold at its peak, the decoded image (3 bytes a pixel) included. It is what the
/// most pixels take in the formats that are decoded row by row; others hold more for each pixel, and so
/// decode fewer of them.
inline constexpr int64_t kImageMemory = 4 * kImagePixels + (64 << 20);
/// Pixels that no byte of the file needs to stand for: of a canvas that is larger than the frame on it, as of
/// every animation; and of a WebP image.
inline constexpr int64_t kCanvasPixels = 1 << 25;
inline constexpr int64_t kWebpPixels = 1 << 26;
/// One side of an image, as JPEG allows.
inline constexpr int64_t kImageSide = 65535;
/// Pictures of one TIFF file that are counted.
inline constexpr int64_t kImagePages = 10'000;
/// Tiles that one image may be cut into, and the pixels in all of them.
inline constexpr int64_t kImageTiles = 8192;
inline constexpr int64_t kTilePixels = 2 * kImagePixels;
/// Patches that a picture of any shape may become (NaFlex); every one of them looks at every other.
inline constexpr int64_t kImagePatches = 1 << 16;
/// Sizes that a model may allow for a picture cut into tiles.
inline constexpr int64_t kGridPinpoints = 4096;
/// Images in one prompt.
inline constexpr int kImagesPerPrompt = 256;
/// An animation or a folder of pictures as a video: its frames, its frames times the canvas (which bounds the
/// time it takes; beyond the first 2^30 each byte of a WebP file pays for some), its length, and the frames a
/// second of any video.
inline constexpr int64_t kVideoFrames = 100'000;
inline constexpr int64_t kVideoPixels = int64_t{1} << 32;
inline constexpr int64_t kVideoFreePixels = int64_t{1} << 30;
inline constexpr int64_t kVideoPixelsPerByte = 4096;
inline constexpr int64_t kVideoMilliseconds = 24 * 60 * 60 * 1000;
inline constexpr double kVideoFps = 1000;
/// Videos in one prompt, and the frames that one of them may be sampled to.
inline constexpr int kVideosPerPrompt = 64;
inline constexpr int64_t kSampledFrames = 4096;
/// Steps of a tokenizer's normalizer, pre-tokenizer or decoder; models in use have up to six.
inline constexpr size_t kTokenizerSteps = 64;
/// A prompt's text and a chat template's source and output.
inline constexpr int64_t kPromptBytes = 16 << 20;
inline constexpr int64_t kTemplateBytes = 1 << 20;
/// Steps and nesting depth of a chat template's evaluation.
inline constexpr int64_t kTemplateSteps = 1'000'000;
inline constexpr int kTemplateDepth = 64;
inline constexpr int kMessageJsonDepth = 32;            // of tools, tool calls and arguments of a template
inline constexpr int64_t kMessageJsonValues = 100'000;  // of one conversation
inline constexpr int kMessages = 10'000;                // of one conversation
/// Stop strings of one request, and the bytes of each.
inline constexpr int kStopStrings = 64;
inline constexpr int64_t kStopBytes = 4096;
/// Ids in one of a request's lists of tokens.
inline constexpr int64_t kOptionTokens = 65536;
/// Answers to one request.
inline constexpr int64_t kAnswersPerRequest = 128;
/// Sequences that are decoded together.
inline constexpr int64_t kBatchSequences = 1024;
/// Sizes in a config: layers, widths, heads, vocabulary, positions.
inline constexpr int64_t kConfigLayers = 1024;
inline constexpr int64_t kConfigWidth = 1 << 20;
inline constexpr int64_t kConfigVocabulary = 1 << 24;
inline constexpr int64_t kConfigPositions = 1 << 24;

}  // namespace galago::limits
