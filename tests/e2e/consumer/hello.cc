// hello MODEL PICTURE QUESTION: the smallest program that asks a question about a picture.
#include <galago/galago.h>

#include <iostream>

int main(int argc, char** argv) try {
  if (argc != 4) return 64;
  auto model = galago::Model::load(argv[1]);
  auto answer = model.ask({.prompt = argv[3], .images = {galago::Image::open(argv[2])}});
  std::cout << answer.text << "\n";
} catch (const galago::Error& error) {
  std::cerr << error.what() << "\n";
  return exit_code(error.code());
}
