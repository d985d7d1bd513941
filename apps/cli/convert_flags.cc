// See the header.
#include "convert_flags.h"

#include "flags.h"
#include "run_flags.h"

namespace galago::cli {
namespace {

void add_input(CLI::App& command, ConvertFlags& flags) {
  const char* group = "Input";
  command
      .add_option("INPUT", flags.options.inputs,
                  "PDF files, pictures (a TIFF may have many pages), or folders of them")
      ->group(group);
  command.add_option("--pages", flags.pages, "Of each file: 3, 2-5, 7- or 1-3,7 (default: all)")
      ->group(group)
      ->type_name("LIST");
  CLI::Option* scale = command
                           .add_option("--scale", flags.options.pages.draw.scale,
                                       "Pixels a point (1/72 inch) that a page of a PDF is drawn with")
                           ->group(group)
                           ->check(CLI::Range(0.01, 100.0))
                           ->capture_default_str();
  command.add_option("--dpi", flags.dpi, "The same as pixels an inch; --scale 2 is 144")
      ->group(group)
      ->check(CLI::Range(1.0, 7200.0))
      ->excludes(scale);
  command
      .add_option("--password", flags.options.pages.draw.password,
                  "Of encrypted PDF files; other users of this machine may see it")
      ->group(group)
      ->type_name("TEXT");
}

void add_output(CLI::App& command, ConvertFlags& flags) {
  const char* group = "Output";
  command
      .add_option(
          "-o,--output", flags.options.output,
          "A folder, which gets NAME.md for each document; or, of one document, a file whose ending is "
          "a format (default: standard output)")
      ->group(group)
      ->type_name("PATH");
  command
      .add_option("--format,--to", flags.formats,
                  "md, html, json (docling's DoclingDocument), txt or doctags; several with commas between "
                  "(default: as the output's name ends, else md)")
      ->group(group)
      ->type_name("LIST");
  command
      .add_option("--page-break", flags.options.page_break,
                  "A text that stands between two pages of Markdown and plain text")
      ->group(group)
      ->type_name("TEXT");
  command
      .add_flag("--page-headers", flags.options.page_headers,
                "Keep page headers and footers in Markdown, text and HTML")
      ->group(group);
  command
      .add_flag("--join-pages", flags.options.join_pages,
                "Make one of paragraphs, lists and tables that a page's end cut in two")
      ->group(group);
  command
      .add_flag("--text-layer", flags.options.text_layer,
                "Let a PDF's own words correct misread letters: where its words in an element's box differ "
                "from what was read in at most a fifth of the characters, they take its place")
      ->group(group);
  command
      .add_flag("--confidence", flags.options.confidence,
                "How sure the model was of each element, in JSON: meta.galago__confidence, from 0 to 1")
      ->group(group);
  command
      .add_flag("--overlay", flags.options.overlay,
                "Also NAME.pages/page-0001.svg: each page with what was read drawn over it, coloured by "
                "confidence")
      ->group(group);
  command
      .add_flag("--report", flags.options.report,
                "Also NAME.report.html: each page, drawn over, beside what was read")
      ->group(group);
  command
      .add_flag("--restart", flags.options.run.restart,
                "Throw away what an earlier run that was ended has done, and begin anew")
      ->group(group);
  CLI::Option* progress =
      command
          .add_flag("--progress", flags.progress,
                    "Tell every ten seconds how far it is, when standard error is no terminal")
          ->group(group);
  command.add_flag("-q,--quiet", flags.quiet, "Tell nothing but errors")->group(group)->excludes(progress);
}

void add_question(CLI::App& command, ConvertFlags& flags) {
  const char* group = "Question";
  command.add_option("-p,--prompt", flags.options.run.request.prompt, "What is asked about each page")
      ->group(group)
      ->type_name("TEXT")
      ->default_str(convert::kQuestion);
  command
      .add_flag("--no-retry", flags.no_retry,
                "A page that comes out empty, cut at the token limit or as a loop is not asked about again")
      ->group(group);
  add_splitting(command, flags.no_split, flags.split, group);
}

}  // namespace

void add_convert_flags(CLI::App& command, ConvertFlags& flags) {
  add_model(
      command, flags.model,
      "Model directory, GGUF file, or ORG/NAME of the Hugging Face hub (default: the small model that ships "
      "with galago and reads square pages of large print)");
  add_input(command, flags);
  add_output(command, flags);
  add_question(command, flags);
  add_answer_flags(command, flags.options.run.request.options, flags.answer);
  add_loading(command, flags.load, flags.options.run.request.options);
  command.add_option("-j,--jobs,--workers", flags.options.run.workers, "Pages that are read side by side")
      ->group(kSpeedGroup)
      ->check(CLI::Range(int64_t{1}, int64_t{1024}))
      ->capture_default_str();
  command
      .add_flag(
          "--no-draft", flags.no_draft,
          "Read pages token by token. Otherwise a PDF's own words, and what was read of the page so far, "
          "are tried as guesses, several at a time: the answers are the same, and sooner where guesses "
          "are right")
      ->group(kSpeedGroup);
  command
      .add_option("--max-memory", flags.options.run.max_memory,
                  "Bytes that pages in work may hold beside the model, e.g. 4GB; 0: no limit")
      ->group(kSpeedGroup)
      ->transform(CLI::AsSizeValue(false))
      ->default_str("0");
  command.footer(
      "The model has to write DocTags (Granite-Docling, SmolDocling). Pages of PDF files are drawn by "
      "Poppler:\n"
      "apt-get install poppler-utils. What is done stands in a journal until all is done: the same command "
      "goes on\n"
      "where an ended run was. A page that failed, or that came out empty, cut or as a loop, is told of, and "
      "makes\n"
      "the exit code 3. Files of the same name in the output are replaced.\n"
      "\n"
      "Examples:\n"
      "  galago convert models/demo-page/pages/sample.pdf\n"
      "  galago convert report.pdf -m ibm-granite/granite-docling-258M\n"
      "  galago convert report.pdf -m ibm-granite/granite-docling-258M -o report.html --pages 1-3\n"
      "  galago convert scans/ -m ibm-granite/granite-docling-258M -o documents/ --format md,json "
      "--report\n");
}

}  // namespace galago::cli
