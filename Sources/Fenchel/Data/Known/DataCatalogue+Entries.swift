private let uci = "UCI Machine Learning Repository"
private let files = "files as in scikit-learn (BSD 3-Clause)"

extension DataCatalogue {
  static let digits = Entry(
    name: "digits", title: "handwritten digits, 8 × 8", rows: 1797, testRows: nil, features: 64, classes: 10,
    licence: "CC BY 4.0; \(files)", origin: "E. Alpaydin, C. Kaynak 1998, \(uci)", files: [])
  static let iris = Entry(
    name: "iris", title: "Fisher's irises", rows: 150, testRows: nil, features: 4, classes: 3,
    licence: "CC BY 4.0; \(files)", origin: "R. A. Fisher 1936, \(uci)", files: [])
  static let wine = Entry(
    name: "wine", title: "wines by their chemistry", rows: 178, testRows: nil, features: 13, classes: 3,
    licence: "CC BY 4.0; \(files)", origin: "S. Aeberhard, M. Forina 1991, \(uci)", files: [])
  static let breastCancer = Entry(
    name: "breast-cancer", title: "breast cancer, Wisconsin diagnostic", rows: 569, testRows: nil,
    features: 30, classes: 2, licence: "CC BY 4.0; \(files)",
    origin: "W. Wolberg, O. Mangasarian, N. Street, W. Street 1995, \(uci)", files: [])
  static let diabetes = Entry(
    name: "diabetes", title: "progression of diabetes in a year", rows: 442, testRows: nil, features: 10,
    classes: nil, licence: "not stated by its authors; \(files)",
    origin: "B. Efron, T. Hastie, I. Johnstone, R. Tibshirani, Annals of Statistics 32 (2004)", files: [])

  static let ecg = Entry(
    name: "ecg", title: "electrocardiogram, five minutes at 360 Hz: a signal for fenchel forecast",
    rows: 108_000,
    testRows: nil, features: 0, classes: nil,
    licence: "Open Data Commons Attribution (ODC-By 1.0); file as in SciPy (BSD 3-Clause)",
    origin:
      "MIT-BIH Arrhythmia Database, record 208 (G. Moody, R. Mark 2001), PhysioNet (A. Goldberger et al. 2000)",
    files: [])

  static let mnist = Entry(
    name: "mnist", title: "handwritten digits, 28 × 28", rows: 60_000, testRows: 10_000, features: 784,
    classes: 10, licence: "CC BY-SA 3.0 as usually stated", origin: "Y. LeCun, C. Cortes, C. Burges",
    files: [
      idx(
        "train-images-idx3-ubyte.gz", mnistMirrors, 9_912_422,
        "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
      idx(
        "train-labels-idx1-ubyte.gz", mnistMirrors, 28_881,
        "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
      idx(
        "t10k-images-idx3-ubyte.gz", mnistMirrors, 1_648_877,
        "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
      idx(
        "t10k-labels-idx1-ubyte.gz", mnistMirrors, 4_542,
        "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
    ])

  static let fashionMNIST = Entry(
    name: "fashion-mnist", title: "articles of clothing, 28 × 28", rows: 60_000, testRows: 10_000,
    features: 784, classes: 10, licence: "MIT, (c) 2017 Zalando SE",
    origin: "H. Xiao, K. Rasul, R. Vollgraf 2017",
    files: [
      idx(
        "train-images-idx3-ubyte.gz", fashionMirrors, 26_421_880,
        "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
      idx(
        "train-labels-idx1-ubyte.gz", fashionMirrors, 29_515,
        "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
      idx(
        "t10k-images-idx3-ubyte.gz", fashionMirrors, 4_422_102,
        "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
      idx(
        "t10k-labels-idx1-ubyte.gz", fashionMirrors, 5_148,
        "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
    ])

  static let cifar10 = Entry(
    name: "cifar-10", title: "small photographs, 3 × 32 × 32", rows: 50_000, testRows: 10_000, features: 3072,
    classes: 10, licence: "not stated; cite the technical report", origin: "A. Krizhevsky 2009",
    files: [
      RemoteFile(
        name: "cifar-10-binary.tar.gz",
        addresses: ["https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"], bytes: 170_052_171,
        sha256: "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
        contents: [
          "data_batch_1.bin": "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5",
          "data_batch_2.bin": "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed",
          "data_batch_3.bin": "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67",
          "data_batch_4.bin": "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48",
          "data_batch_5.bin": "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add",
          "test_batch.bin": "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b",
        ])
    ])

  private static let mnistMirrors = [
    "https://ossci-datasets.s3.amazonaws.com/mnist/", "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "https://yann.lecun.com/exdb/mnist/",
  ]

  private static let fashionMirrors = ["http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"]

  private static func idx(
    _ name: String, _ mirrors: [String], _ bytes: Int, _ sha256: String, _ unpacked: String
  ) -> RemoteFile {
    RemoteFile(
      name: name, addresses: mirrors.map { $0 + name }, bytes: bytes, sha256: sha256, unpackedSHA256: unpacked
    )
  }
}
