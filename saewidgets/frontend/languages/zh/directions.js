// 词间方向实验台的文字与说明。

export const words = {
  zh: {
    widget: "词与词之间的方向",
    spaces: "向量",
    relations: "关系",
    columns: {
      relation: "关系",
      offset: "偏移",
      kept: "保留输入词",
      neighbor: "离 c 最近",
      chance: "偶然",
      parallel: "平行程度",
      questions: "问题数",
    },
    columnsSay: {
      offset: "排除三个输入词之后，离 b - a + c 最近的词就是答案的问题所占比例",
      kept: "同上，但所有词都是候选，包括 a、b、c",
      neighbor: "单凭离 c 最近的词就能答对的比例：如果同样高，偏移就没有起作用",
      chance: "把这些答案在各问题之间打乱之后的比例",
      parallel: "两对词的偏移之间的平均余弦；刻度是打乱配对后的值",
    },
    tableSays:
      "答对的问题所占比例。偏移：离 b - a + c 最近的词，排除 a、b、c。保留输入词：候选包括这三个词。" +
      "离 c 最近：完全不用偏移，只取离 c 最近的词。偶然：同样的答案打乱之后。" +
      "平行程度：两个偏移的平均余弦；刻度是打乱配对后的值。",
    asked: "{n}",
    askedSkipped: "{n}，跳过 {skipped}",
    none: "未测量",
    picture: {
      title: "“{name}”的各对词，画在这些词的两条主轴上",
      label: "{n} 对词，画成从第一个词指向第二个词的箭头。",
      explained: "两条轴包含这些词 {share} 的方差；其余没有画出。",
      left: "{of} 个词中有 {out} 个在这里放不下；指向箭头可看词对，或把图放宽。",
      pair: "词对",
      empty: "有向量的词对不足两对。",
      parallel: "两对词的偏移的平均余弦为 {value}；打乱配对后为 {null}，97.5 % 低于 {high}（p = {p}）。",
      length: "偏移的长度是词向量的 {length} 倍。",
    },
    parts: {
      title: "偏移由什么组成",
      none: "没有分解：没有 SAE 读取这些向量。",
      says: "占平均偏移长度平方的份额，{sae}。所有特征与误差合计 100 %。",
      feature: "#{feature}",
      error: "误差：SAE 未能重建的部分",
      rest: "其余所有特征",
      before: "在第一个词处",
      after: "在第二个词处",
      share: "占偏移的份额",
    },
    answers: {
      title: "问题与答案",
      columns: ["问题", "正确答案", "偏移", "保留输入词", "离 c 最近", "正确答案的名次"],
      question: "{a} : {b} = {c} : ?",
      some: "{n} 个问题中的 {shown} 个，均匀选取。",
      right: "答对",
    },
    shows:
      "这里看不出：模型写作时是否使用这样的方向；由几个词元组成的词；以及图中两条轴之外的一切。" +
      "某个关系在这里是一个方向，并不说明其他关系也是。",
    code: "相应的 Python 代码",
  },
};

export const notes = {
  zh: [
    {
      at: ".saew-directions-spaces",
      say: "所考察的向量：嵌入，或读到一个词时在模型中部流过的内容。",
    },
    {
      at: ".saew-directions-table",
      say: "b - a + c 能答对多少问题，并与三条基线对照。如果离 c 最近的词同样常对，偏移就没有起作用。选择一行，就选中它的关系。",
    },
    {
      at: ".saew-directions-picture",
      say: "每个箭头是一对词。如果箭头平行且等长，这个关系就是一个方向。",
    },
    {
      at: ".saew-directions-parts",
      say: "在第一个词与第二个词处激活值不同的特征，按它们给偏移添加的量排列。",
    },
  ],
};
