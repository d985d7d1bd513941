// See the header. Names after llama.cpp's common/arg.cpp, transformers' GenerationConfig and command line,
// and the generate scripts of mlx-vlm, vLLM and Ollama.
#include "habits.h"

namespace galago::cli {
namespace {

constexpr std::string_view kToken =
    "HF_TOKEN in the environment has the token: a flag is seen by every user of the machine";
constexpr std::string_view kHubFile =
    "-m ORG/NAME:FILE.gguf or -m ORG/NAME:Q4_K_M names one of several files";
constexpr std::string_view kAddress =
    "-m ORG/NAME downloads from the Hugging Face hub; other files have to be there first";
constexpr std::string_view kProcessor = "galago computes on the processor alone: leave it out";
constexpr std::string_view kQuiet =
    "standard output has the answer alone, and standard error what is said about it: leave it out";
constexpr std::string_view kFilters =
    "galago samples with --temp, --top-k, --top-p, --min-p, --typical-p, --epsilon-cutoff and --eta-cutoff";
constexpr std::string_view kContext =
    "the context is the model's own, and memory is taken as the answer grows: leave it out; -n bounds the "
    "answer";

constexpr std::string_view kQuantize = "the folders are two words: galago quantize IN OUT --dtype q8";

constexpr Habit kHabits[] = {
    // Of one command.
    {"-o --output --output-file --out --save --output-dir --outfile", "", kQuantize, "quantize"},
    {"-m --model --model-path --input", "", kQuantize, "quantize"},
    {"-o --output --output-file --out --save --output-dir", "--vision-tower", "", "export"},
    {"--token --hf-token -hft", "--token-file",
     "--token-file FILE, or HF_TOKEN in the environment: a flag is seen by every user of the machine",
     "pull"},
    {"--local-dir --cache-dir --output -o", "--revision",
     "HF_HUB_CACHE names the cache's folder; galago pull prints where the model is in it", "pull"},
    {"--max-workers", "--workers", "", "pull"},
    {"-p --prompt", "--text", "--text TEXT gives a text, each time it is given", "embed"},
    {"-cnv --conversation -if --interactive-first --interactive -ml --multiline-input", "",
     "galago chat is a conversation: leave it out", "chat"},
    {"-p --prompt --question -f --file", "",
     "questions are typed, or piped: echo TEXT | galago chat; galago run answers one question", "chat"},
    {"--color --colors", "--no-color", "pictures are drawn in colour unless --no-color is given", "chat"},
    {"--load --resume", "--messages", "", "chat"},
    {"--candidate-labels --candidates --classes", "--labels", "", "classify"},
    {"-i --image --images --input --input-file --input-dir --dir --folder", "",
     "the input is a word of its own: galago batch photos -p TEXT -o OUT.jsonl", "batch"},
    {"--out --output-file --save --outfile --output-dir", "--output", "", "batch"},
    {"--batch-size --parallel -np --n-parallel --max-num-seqs --concurrency --num-workers -j", "--workers",
     "", "batch"},
    {"--resume --continue", "", "a run goes on where it was by itself: leave it out; --restart does not",
     "batch"},
    {"--overwrite --force --no-resume", "--restart", "", "batch"},
    {"--retry --retry-failed --rerun-errors --only-errors", "--retry-errors", "", "batch"},
    {"--max-items --max-samples --num-samples --head", "--limit", "", "batch"},
    {"--json", "", "every record is a line of JSON already: leave it out", "batch"},
    {"--stats", "--timings", "", "batch"},
    {"-i --image --images --input --input-file --input-dir --dir --folder --pdf", "",
     "the input is a word of its own: galago convert FILE -o OUT.md", "convert"},
    {"--out --output-file --outfile --output-dir --output-folder", "--output", "", "convert"},
    {"--output-format --export --export-format --from-format --to-formats", "--format", "", "convert"},
    {"--page --page-range --first-page --last-page", "--pages", "--pages 2-5 takes the second to the fifth",
     "convert"},
    {"--resolution --render-dpi", "--dpi", "", "convert"},
    {"--pdf-password -upw", "--password", "", "convert"},
    {"--batch-size --parallel --max-num-seqs --concurrency --num-workers --page-batch-size --num-threads",
     "--jobs", "", "convert"},
    {"--resume --continue", "", "a run goes on where it was by itself: leave it out; --restart does not",
     "convert"},
    // The answer.
    {"--n-predict --predict --max-tokens --num-predict --max-completion-tokens --new-tokens --max-new-token "
     "--num-tokens --tokens",
     "--max-new-tokens", ""},
    {"--max-length", "--max-new-tokens", "it counts the prompt too: -n counts the answer's tokens"},
    {"--min-length", "--min-new-tokens",
     "it counts the prompt too: --min-new-tokens counts the answer's tokens"},
    {"--min-tokens --min-predict", "--min-new-tokens", ""},
    {"--temperature", "--temp", ""},
    {"--topk", "--top-k", ""},
    {"--topp", "--top-p", ""},
    {"--minp", "--min-p", ""},
    {"--repeat-penalty --rep-penalty --repetition-penalty-factor", "--repetition-penalty", ""},
    {"--repeat-last-n", "--repetition-penalty", "--repetition-penalty looks at the whole prompt and answer"},
    {"-s --random-seed", "--seed", ""},
    {"--stop-sequence --stop-sequences --stop-strings --stop-string --stop-word --stop-words", "--stop", ""},
    {"-r --reverse-prompt", "--stop", "--stop TEXT ends the answer before a text"},
    {"-sp --special", "--keep-special", ""},
    {"--skip-special-tokens", "--skip-special", ""},
    {"--do-sample --sample", "--temp", "a temperature above 0 samples: --temp 0.7"},
    {"--greedy", "--temp", "--temp 0, the default, is greedy"},
    {"--num-beams --beams", "", "galago has no beam search; --answers N gives several answers"},
    {"--n --n-answers --num-return-sequences --num-answers --num-completions", "--answers", ""},
    {"--best-of", "--answers", "--answers N gives N answers, and --json how likely their tokens were"},
    {"--typical", "--typical-p", ""},
    {"--epsilon --eps-cutoff", "--epsilon-cutoff", ""},
    {"--eta", "--eta-cutoff", ""},
    {"--freq-penalty", "--frequency-penalty", ""},
    {"--no-repeat-ngram --ngram-size", "--no-repeat-ngram-size", ""},
    {"--mirostat --mirostat-lr --mirostat-ent --tfs --dynatemp-range --dynatemp-exp --xtc-probability "
     "--xtc-threshold --dry-multiplier --dry-base "
     "--dry-allowed-length --dry-penalty-last-n --top-n-sigma --top-nsigma --samplers --sampler-seq "
     "--sampling-seq",
     "", kFilters},
    {"--eos-token-id --stop-token --stop-token-ids --end-token-id", "--stop-token-id", ""},
    {"--eos-token --bos-token --pad-token --pad-token-id", "--max-new-tokens",
     "an answer ends with the model's end token, with --stop or --stop-token-id, or after -n tokens"},
    {"--no-eos --ignore-eos-token", "--ignore-eos", ""},
    {"-l", "--logit-bias", ""},
    {"--grammar-file --guided-grammar --gbnf --ebnf", "--grammar", ""},
    {"-j -jf --json-schema-file --guided-json --schema", "--json-schema", ""},
    {"--guided-regex --pattern", "--regex", ""},
    {"--guided-choice", "--choices", ""},
    {"--json-mode --guided-json-object", "--json-object", ""},
    {"--n-probs --top-logprobs --num-logprobs", "--logprobs", ""},
    {"--echo", "--prompt-logprobs", "--prompt-logprobs N tells how likely the prompt's tokens were"},
    {"--bad-words --bad-words-ids --banned-tokens --ban", "--bad-word", "--bad-word TEXT, for each text"},
    {"--suppress-tokens --begin-suppress-tokens", "--suppress-token", "--suppress-token ID, for each token"},
    // The question.
    {"--question --query --user-prompt --message --instruction --user", "--prompt", ""},
    {"--prompt-file", "--file", ""},
    {"-bf --binary-file", "--file", "-f FILE takes the question from a file of UTF-8"},
    {"-sys --system-prompt --system-message", "--system", ""},
    {"-sysf --system-prompt-file", "--system", "--system \"$(cat FILE)\""},
    {"-e --escape --no-escape", "--prompt",
     "texts are taken as they stand: in a shell, $'one\\ntwo' has a line end"},
    {"-no-cnv --no-conversation", "--raw", "--raw continues a text without chat template"},
    {"-cnv --conversation -if --interactive-first --interactive", "",
     "galago chat is a conversation; galago run answers one question, -p TEXT, or several"},
    {"-st --single-turn --in-prefix --in-suffix -ml --multiline-input --no-in-prefix-bos", "",
     "leave it out: galago run answers one question, and galago chat ends a line with a backslash to go on"},
    {"--jinja --no-jinja --apply-chat-template", "",
     "the model's chat template is always followed, or that of --chat-template FILE: leave it out"},
    {"--chat-template-file --template-file", "--chat-template", ""},
    // Pictures.
    {"--images --img --image-file --image-path --picture --pictures --image-url", "--image", ""},
    {"--audio", "", "galago hears nothing: it reads pictures, videos and text"},
    {"--videos --video-path --video-file", "--video", ""},
    {"--video-fps", "--fps",
     "the model's own settings say how many frames of --video are sampled; --fps replaces the rate of the "
     "file"},
    {"--num-frames --max-frames", "--video",
     "the model's own settings say how many frames of --video are seen"},
    {"--image-min-tokens --image-max-tokens --resize-shape --longest-edge --image-size --max-pixels "
     "--min-pixels",
     "--no-split", "the model's own settings say how a picture is cut; --no-split makes one tile of it"},
    {"--do-image-splitting", "--split", "--split cuts pictures into tiles, --no-split does not"},
    // The model.
    {"--model-path --model-name-or-path --model-name --model-dir --model-id --pretrained-model-name-or-path "
     "--pretrained --path",
     "--model", ""},
    {"-hf -hfr --hf-repo", "--model", ""},
    {"-hff --hf-file", "--model", kHubFile},
    {"-hft --hf-token --token", "--model", kToken},
    {"-mu --model-url -dr --docker-repo -hfv --hf-repo-v -hffv -hfd --hf-repo-draft", "--model", kAddress},
    {"-mm", "--mmproj", ""},
    {"-mmu --mmproj-url --mmproj-auto --no-mmproj --no-mmproj-offload --mmproj-offload", "--mmproj",
     "the file with the vision tower is found beside the GGUF file that -m names, or given with --mmproj "
     "FILE"},
    {"--adapter --adapter-path --lora-path --adapter-name-or-path", "--lora", ""},
    {"--lora-scaled --lora-base --lora-init-without-apply --control-vector", "--lora",
     "--lora DIR or --lora DIR:SCALE adds an adapter"},
    {"-md --model-draft --draft --draft-max --draft-min --assistant-model --assistant", "",
     "galago has no draft models: leave it out"},
    {"--trust-remote-code", "", "galago runs no code of a model: leave it out"},
    {"--revision", "--model", "-m ORG/NAME@REVISION takes that revision out of the Hugging Face cache"},
    {"--cache-dir --cache-folder --hf-home", "--model",
     "HF_HUB_CACHE or HF_HOME say where the Hugging Face cache of -m ORG/NAME is"},
    {"--tokenizer --processor --tokenizer-name --config", "--model",
     "tokenizer and settings are read from the model's directory: -m DIR"},
    // Speed and memory.
    {"--n-threads --num-threads --thread --cpus", "--threads", ""},
    {"-tb --threads-batch", "--threads", "-t is for prompts and tokens alike"},
    {"-c --ctx-size --n-ctx --context-size --context-length --max-model-len --num-ctx --max-kv-size "
     "--max-seq-len --ctx",
     "--max-new-tokens", kContext},
    {"-ngl --gpu-layers --n-gpu-layers -dev --device -sm --split-mode -ts --tensor-split -mg --main-gpu "
     "--list-devices --device-map --gpu --gpus --cuda --cpu --num-gpu --use-gpu",
     "", kProcessor},
    {"-fa --flash-attn --attn-implementation --no-kv-offload -nkvo --op-offload --no-op-offload --no-repack "
     "--use-cache --numa --cpu-mask -C --cpu-range -Cr --cpu-strict --prio --poll --cpu-moe -cmoe -ot "
     "--override-tensor --compile --torch-compile --defrag-thold -dt --swa-full --kv-unified --cont-batching "
     "--no-cont-batching -cb -nocb -np --parallel --no-warmup --warmup --check-tensors --keep "
     "--no-context-shift "
     "--context-shift --rope-scaling --rope-freq-base --rope-freq-scale --rope-scale --yarn-orig-ctx",
     "", "there is nothing of this to set in galago: leave it out"},
    {"-ctk --cache-type-k -ctv --cache-type-v --kv-cache-type --cache-type", "--kv-cache-dtype",
     "--kv-cache-dtype f32 or f16"},
    {"-b --batch-size -ub --ubatch-size --chunk-size --prefill-step-size", "--prefill-chunk",
     "--prefill-chunk N reads a prompt N tokens at a time"},
    {"--mmap", "", "files are mapped unless --no-mmap is given: leave it out"},
    {"--mlock --direct-io -dio", "--no-mmap", "--no-mmap copies the weights into the process's own memory"},
    {"--torch-dtype --precision --data-type --quantization --quantize --quant", "--dtype",
     "--dtype f32, bf16, q8 or q4"},
    {"--load-in-4bit --int4", "--dtype", "--dtype q4"},
    {"--load-in-8bit --int8", "--dtype", "--dtype q8"},
    {"--bf16 --fp16 --half --float16 --bfloat16", "--dtype",
     "--dtype bf16; without it weights stay as they are stored"},
    // Output.
    {"-v --verbose --verbosity -lv --log-verbosity --perf --show-timings --timings --log-verbose --debug",
     "--stats", "--stats prints sizes and times to standard error"},
    {"--log-disable --log-file --log-colors --log-prefix --log-timestamps --no-display-prompt "
     "--display-prompt --simple-io --color --colors --no-color --no-perf -co --quiet --silent --no-log "
     "--verbose-prompt "
     "--stream --progress --no-progress -q",
     "", kQuiet},
    {"-o --output --output-file --out --save", "",
     "the answer goes to standard output: galago run ... > FILE"},
    {"--no-stream", "--json", "--json prints one object when the answer is whole"},
    {"--response-format", "--json-object",
     "--json-object asks for JSON, --json-schema FILE for JSON of that schema"},
    {"--format --output-format --json-output", "--json",
     "--json prints one object about the answer; --json-object and --json-schema make the answer JSON"},
    // Of the server: llama-server's and vLLM's.
    {"-np --n-parallel --max-num-seqs --num-parallel", "--parallel", "", "serve"},
    {"-a --served-model-name", "--alias", "", "serve"},
    {"--no-webui --no-ui", "--no-page", "", "serve"},
    {"--allowed-local-media-path", "--media-path", "", "serve"},
    {"--allowed-media-domains", "--allowed-media-domain", "", "serve"},
    {"--allowed-origins --cors-origins", "--cors-origin", "", "serve"},
    {"--ssl-certfile --tls-cert", "--ssl-cert-file", "", "serve"},
    {"--ssl-keyfile --tls-key", "--ssl-key-file", "", "serve"},
    {"-n --n-predict --predict --max-new-tokens --max-completion-tokens", "--max-tokens", "", "serve"},
    {"-c --ctx-size --n-ctx --context-size --max-model-len --num-ctx --ctx", "--max-tokens",
     "every request has the model's whole context; --max-tokens bounds an answer", "serve"},
    {"--metrics --slots --props --jinja --webui --embedding --embeddings --mmproj-auto --cont-batching -cb "
     "--enable-auto-tool-choice "
     "--enable-prefix-caching",
     "", "it is on already: leave it out", "serve"},
    {"--no-slots --no-metrics", "--api-key", "with --api-key nobody reads them without the key", "serve"},
    {"-to --timeout", "--write-timeout",
     "--header-timeout, --body-timeout, --idle-timeout and --write-timeout are of the connection, "
     "--request-timeout of the answer",
     "serve"},
    {"--threads-http", "--intake-threads", "--intake-threads read bodies and pictures; connections need none",
     "serve"},
    {"--cache-ram -cram --cache-reuse", "--prefix-cache-size",
     "--prefix-cache-size 512MB keeps beginnings of prompts", "serve"},
    {"--no-cache-prompt --no-enable-prefix-caching", "--prefix-cache-size",
     "--prefix-cache-size 0 keeps nothing", "serve"},
    {"--queue-size --max-queue --max-waiting", "--queue", "", "serve"},
    {"--disable-log-requests --log-disable --no-access-log --quiet -q", "--no-log", "", "serve"},
    {"--mlock --no-mmap", "", "weights are copied unless --mmap is given: leave it out", "serve"},
    {"--path --public-path --api-prefix --root-path", "",
     "the page and the routes have fixed places: a proxy moves them", "serve"},
    {"--usage -?", "--help", ""},
    {"-V --version", "", "galago version prints it"},
};

constexpr CommandHabit kCommands[] = {
    {"talk converse conversation interactive repl", "chat"},
    {"ask generate infer predict answer describe caption complete cli mtmd llava main query", "run"},
    {"info show config shapes plan memory", "inspect"},
    {"server api http listen", "serve"},
    {"download fetch get install", "pull"},
    {"document documents pdf page pages ocr markdown docling doctags", "convert"},
    {"bulk many folder dataset jobs run-batch batch-run", "batch"},
    {"benchmark benchmarks speed perf", "bench"},
    {"quantise quantization quant", "quantize"},
    {"embedding embeddings encode vectors features", "embed"},
    {"classification label labels zero-shot zeroshot", "classify"},
    {"check compare test", "verify"},
    {"extract save-tower", "export"},
    {"dump debug", "trace"},
};

}  // namespace

std::span<const Habit> habits() { return kHabits; }
std::span<const CommandHabit> command_habits() { return kCommands; }

const Habit* find_habit(std::string_view name, std::string_view command) {
  const Habit* of_all = nullptr;
  for (const Habit& habit : kHabits) {
    bool found = false;
    for_each_name(habit.names, [&](std::string_view one) { found = found || one == name; });
    if (found && !habit.command.empty() && habit.command == command) return &habit;
    if (found && habit.command.empty()) of_all = &habit;
  }
  return of_all;
}

}  // namespace galago::cli
