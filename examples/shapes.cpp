// SPDX-License-Identifier: MIT
// Inputs of several shapes and a model that knows four batch sizes: only equal shapes share a batch, and
// each batch is run at the next size that the model has.
//
// A pause fills the queue, so that what happens afterwards does not depend on the machine's speed.

#include <batchwright/batchwright.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdio>
#include <functional>
#include <future>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

struct Image {
  int height;
  int width;
  std::vector<float> pixels;
};

// The key: any value with == and a hash.
struct Shape {
  int height;
  int width;
  bool operator==(const Shape&) const = default;
};
struct ShapeHash {
  std::size_t operator()(const Shape& shape) const {
    return std::hash<int>()(shape.height) * 31 + std::hash<int>()(shape.width);
  }
};

const std::vector<std::size_t> kModelSizes = {1, 4, 8, 16};

int main() {
  std::size_t rows = 0;
  std::size_t padding = 0;
  int misfits = 0;
  std::printf("batch  shape    images  run as\n");
  auto predict = [&](std::span<const Image> images, const batchwright::BatchInfo& info) {
    const Shape& shape = *info.lane<Shape>();
    std::printf("%5llu  %3dx%-3d  %6zu  %6zu\n", static_cast<unsigned long long>(info.batch_id),
                shape.height, shape.width, info.size, info.padded_size);
    // The next size that the model has.
    misfits +=
        info.padded_size != *std::lower_bound(kModelSizes.begin(), kModelSizes.end(), info.size);
    rows += info.padded_size;
    padding += info.padded_size - info.size;
    std::vector<float> means;
    for (const Image& image : images) {
      misfits += image.height != shape.height || image.width != shape.width;
      means.push_back(std::accumulate(image.pixels.begin(), image.pixels.end(), 0.0F) /
                      static_cast<float>(image.pixels.size()));
    }
    return means;
  };

  batchwright::DynamicBatcher<Image, float> batcher(predict,
                                                    {.max_batch_size = 16,
                                                     .allowed_sizes = kModelSizes,
                                                     .lane = batchwright::KeyFunction<Image>(
                                                         [](const Image& image) {
                                                           return Shape{image.height, image.width};
                                                         },
                                                         ShapeHash{})});

  batcher.pause();
  std::vector<std::future<float>> answers;
  for (int i = 0; i < 30; ++i) {
    const Shape shape = i == 7 ? Shape{3, 5} : i % 3 == 0 ? Shape{16, 16} : Shape{8, 8};
    const auto size = static_cast<std::size_t>(shape.height * shape.width);
    answers.push_back(batcher.submit(
        {shape.height, shape.width, std::vector<float>(size, static_cast<float>(i))}));
  }
  batcher.resume();

  int wrong = 0;
  for (int i = 0; i < 30; ++i) {
    wrong += answers[static_cast<std::size_t>(i)].get() != static_cast<float>(i);
  }
  std::printf("30 images in %zu rows: %zu are padding; %d wrong answers, %d misfits\n", rows,
              padding, wrong, misfits);
  return wrong == 0 && misfits == 0 && rows - padding == 30 ? 0 : 1;
}
